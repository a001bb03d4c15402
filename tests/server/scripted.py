#!/usr/bin/python3
"""Scripted servers on loopback for check-errors.py: each connection plays one script, with the certificate it names.

    scripted.py DIRECTORY    logs every client in and does nothing more; prints its port. DIRECTORY: the certificates
"""
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading

DOMAIN = os.environ["XMPP_TEST_DOMAIN"]
CERTS = os.path.join(os.environ["XMPP_TEST_DIR"], "certs")
ALICE = "alice@" + DOMAIN
STREAMS, STANZAS = "urn:ietf:params:xml:ns:xmpp-streams", "urn:ietf:params:xml:ns:xmpp-stanzas"
SASL, TLS, BIND = (f"urn:ietf:params:xml:ns:xmpp-{name}" for name in ("sasl", "tls", "bind"))
HEADER = (f"<?xml version='1.0'?><stream:stream from='{DOMAIN}' id='s1' version='1.0' xmlns='jabber:client' "
          "xmlns:stream='http://etherx.jabber.org/streams'>")
STARTTLS = f"<starttls xmlns='{TLS}'/>"


def features(content):
    return f"<stream:features>{content}</stream:features>"


def mechanisms(*names):
    return f"<mechanisms xmlns='{SASL}'>" + "".join(f"<mechanism>{n}</mechanism>" for n in names) + "</mechanisms>"


def stream_error(condition, text="", content=""):
    if text:
        text = f"<text xmlns='{STREAMS}'>{text}</text>"
    return f"<stream:error><{condition} xmlns='{STREAMS}'>{content}</{condition}>{text}</stream:error></stream:stream>"


def sasl_failure(condition, text=""):
    if text:
        text = f"<text>{text}</text>"
    return f"<failure xmlns='{SASL}'><{condition}/>{text}</failure>"


# --- certificates ---

def certtool(*arguments):
    subprocess.run(["certtool", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)


def make_certificate(directory, name, text, signed=True):
    """One key for all: they differ in what they say."""
    template, path = os.path.join(directory, name + ".tmpl"), os.path.join(directory, name + ".crt")
    with open(template, "w", encoding="ascii") as file:
        file.write("signing_key\ntls_www_server\n" + text)
    key = os.path.join(CERTS, DOMAIN + ".key")
    if signed:
        certtool("--generate-certificate", "--load-privkey", key, "--load-ca-certificate",
                 os.path.join(CERTS, "ca.crt"), "--load-ca-privkey", os.path.join(CERTS, "ca.key"),
                 "--template", template, "--outfile", path)
    else:
        certtool("--generate-self-signed", "--load-privkey", key, "--template", template, "--outfile", path)


def make_certificates(directory):
    name = f'cn = "server"\ndns_name = {DOMAIN}\n'
    make_certificate(directory, "good", name + "expiration_days = 3\n")
    make_certificate(directory, "wrong-name", 'cn = "server"\ndns_name = b.example\nexpiration_days = 3\n')
    make_certificate(directory, "expired", name + 'activation_date = "2020-01-01"\nexpiration_date = "2021-02-03"\n')
    make_certificate(directory, "early", name + 'activation_date = "2095-01-01"\nexpiration_date = "2096-01-01"\n')
    make_certificate(directory, "self-signed", name + "expiration_days = 3\n", signed=False)
    make_certificate(directory, "revoked", name + "expiration_days = 3\n")


def tls_context(directory, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(directory, name + ".crt"), os.path.join(CERTS, DOMAIN + ".key"))
    return context


def serve_revoked(directory):
    """OpenSSL's server staples an OCSP answer, which says that its certificate is revoked."""
    leaf, answer, index = (os.path.join(directory, name) for name in ("revoked.crt", "revoked.ocsp", "index.txt"))
    serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", leaf], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.strip().partition("=")[2]
    with open(index, "w", encoding="ascii") as file:
        file.write(f"R\t300101000000Z\t200101000000Z\t{serial}\tunknown\t/CN=server\n")
    ca, key = os.path.join(CERTS, "ca.crt"), os.path.join(CERTS, "ca.key")
    subprocess.run(["openssl", "ocsp", "-index", index, "-CA", ca, "-rsigner", ca, "-rkey", key, "-issuer", ca,
                    "-cert", leaf, "-ndays", "2", "-respout", answer], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", leaf, "-key", os.path.join(CERTS, DOMAIN + ".key"),
         "-status_file", answer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        if line.startswith("ACCEPT"):
            break
    return server, int(line.rpartition(":")[2])


# --- scripted servers ---

class Talk:
    """One connection of a scripted server."""

    def __init__(self, connection, directory):
        self.socket = connection
        self.directory = directory
        self.socket.settimeout(10)
        self.seen = b""

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def until(self, text):
        while text.encode() not in self.seen:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed by the client")
            self.seen += data
        before, _, self.seen = self.seen.partition(text.encode())
        return before.decode()

    def open(self, content):
        self.until("etherx.jabber.org/streams'>")
        self.send(HEADER + content)

    def encrypt(self, name="good"):
        self.socket = tls_context(self.directory, name).wrap_socket(self.socket, server_side=True)

    def secure(self, name="good"):
        self.open(features(STARTTLS))
        self.until("<starttls")
        self.until("/>")
        self.send(f"<proceed xmlns='{TLS}'/>")
        self.encrypt(name)

    def offer(self, *names, more=""):
        self.secure()
        self.open(features(mechanisms(*names) + more))

    def authenticate(self):
        self.offer("PLAIN")
        self.until("</auth>")

    def log_in(self, more=""):
        self.authenticate()
        self.send(f"<success xmlns='{SASL}'/>")
        self.open(features(f"<bind xmlns='{BIND}'/>" + more))
        return re.search("id='([^']*)'", self.until("</iq>")).group(1)

    def ready(self, more=""):
        number = self.log_in(more)
        self.send(f"<iq type='result' id='{number}'><bind xmlns='{BIND}'><jid>{ALICE}/x</jid></bind></iq>")

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait(self):
        """Until the client goes."""
        try:
            while self.socket.recv(65536):
                pass
        except OSError:
            pass


class Server:
    """A port of loopback that plays a script with each client."""

    def __init__(self, script, directory):
        self.script = script
        self.directory = directory
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.play, args=(connection,), daemon=True).start()

    def play(self, connection):
        talk = Talk(connection, self.directory)
        try:
            self.script(talk)
        except OSError:
            pass  # the client went; what it says about that is checked
        finally:
            talk.socket.close()


def full_port():
    """A port whose queue of connections is full: another SYN is not answered."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    held = [listener]
    for _ in range(4):
        held.append(socket.socket())
        held[-1].setblocking(False)
        held[-1].connect_ex(listener.getsockname())
    return listener.getsockname()[1], held


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stay(talk):
    talk.ready()
    talk.wait()


if __name__ == "__main__":
    print(Server(stay, sys.argv[1]).port, flush=True)
    sys.stdin.read()
