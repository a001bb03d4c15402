#!/usr/bin/python3
"""check-examples.py DIRECTORY: the examples as a person uses them, with their exit codes. Run by servers.py."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading

DIRECTORY = sys.argv[1]
ENV = dict(os.environ, XMPP_PASSWORD="secret")
DOMAIN = os.environ["XMPP_TEST_DOMAIN"]
CA = ["--ca-file", os.environ["XMPP_TEST_CA"]]
DNS = ["--dns", os.environ["XMPP_TEST_DNS"]]
ALICE, BOB = "alice@" + DOMAIN, "bob@" + DOMAIN
HERE = ["--server", "127.0.0.1:" + os.environ["XMPP_TEST_PORT"]]
checks = 0


def run(program, *arguments, password="secret", text=""):
    environment = dict(ENV)
    if password is None:
        del environment["XMPP_PASSWORD"]
    else:
        environment["XMPP_PASSWORD"] = password
    # a session of its own: without a terminal nobody can be asked
    done = subprocess.run([os.path.join(DIRECTORY, program), *arguments], env=environment, input=text,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          check=False, start_new_session=True)
    return done.returncode, done.stdout


def expect(code, words, program, *arguments, **options):
    global checks
    checks += 1
    status, output = run(program, *arguments, **options)
    if status != code or words not in output:
        sys.exit(f"{program} {' '.join(arguments)}: exit {status}, expected {code} and {words!r}:\n{output}")


class Listener:
    """A port of loopback on which somebody says something, or nothing."""

    def __init__(self, answer):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        held = []
        while True:
            connection, _ = self.socket.accept()
            held.append(connection)
            if self.answer:
                connection.recv(4096)
                connection.sendall(self.answer)


class Mute(Listener):
    """A server that lets everybody in, and then says nothing any more."""

    HEADER = ("<?xml version='1.0'?><stream:stream id='s' from='" + DOMAIN + "' version='1.0' xmlns='jabber:client' "
              "xmlns:stream='http://etherx.jabber.org/streams'>")
    SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"
    BIND = "xmlns='urn:ietf:params:xml:ns:xmpp-bind'"
    # the end of what the client says, and the answer
    STEPS = (("streams'>", f"{HEADER}<stream:features><mechanisms {SASL}><mechanism>ANONYMOUS</mechanism></mechanisms>"
              "</stream:features>"),
             ("/>|</auth>", f"<success {SASL}/>"),
             ("streams'>", f"{HEADER}<stream:features><bind {BIND}/></stream:features>"),
             ("</iq>", f"<iq type='result' id='@'><bind {BIND}><jid>guest@{DOMAIN}/x</jid></bind></iq>"))

    def __init__(self):
        super().__init__(None)

    def serve(self):
        connection, _ = self.socket.accept()
        for end, answer in self.STEPS:
            said = ""
            while not re.search(f"({end})$", said):
                said += connection.recv(4096).decode()
            number = re.search(" id=.([^'\"]*)", said)
            connection.sendall(answer.replace("@", number[1] if number and "<iq" in said else "@").encode())
        connection.recv(4096)
        connection.recv(4096)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


for name in ("echobot", "send", "console", "many"):
    expect(0, "Exit codes", name, "--help")
    expect(2, "JID", name)
    expect(2, "try --help", name, "--nonsense", ALICE)
expect(2, "TEXT", "send", ALICE)
expect(2, "number", "many", ALICE, "-1")
expect(2, "bad port", "send", "--server", "127.0.0.1:99999", ALICE, BOB, "x")
expect(1, "no password", "send", *CA, *DNS, ALICE, BOB, "x", password=None)
expect(1, "not a JID", "send", *CA, *DNS, "a@b@c@", BOB, "x")

send = [ALICE, BOB, "x"]
expect(3, "not-authorized", "send", *CA, *DNS, *send, password="wrong")
expect(3, "not-authorized", "echobot", *CA, *DNS, ALICE, password="wrong")
expect(3, "not-authorized", "console", *CA, *DNS, ALICE, password="wrong")
expect(3, "not-authorized", "many", *CA, *DNS, ALICE, "3", password="wrong")
expect(4, "nowhere.example", "send", *CA, *DNS, "alice@nowhere.example", BOB, "x")
expect(4, "does not offer", "send", *CA, *DNS, "alice@off.example", BOB, "x")
expect(5, "not trusted", "send", *DNS, *send)
expect(4, "host-unknown", "send", *CA, *HERE, "alice@other.example", BOB, "x")
expect(5, "wrong.example", "send", *CA, *HERE, "alice@wrong.example", BOB, "x")
expect(6, "refused", "send", *CA, "--server", f"127.0.0.1:{free_port()}", *send)
expect(6, "refused", "send", *CA, *DNS, "alice@refused.example", BOB, "x")
web = Listener(b"HTTP/1.1 400 Bad Request\r\n\r\n")
expect(7, "XML", "send", *CA, "--server", f"127.0.0.1:{web.port}", *send)
expect(1, "does not speak TLS", "send", *CA, "--direct-tls", "--server", f"127.0.0.1:{web.port}", *send)
silent = Listener(None)
expect(8, "time", "send", *CA, "--timeout", "0.5", "--server", f"127.0.0.1:{silent.port}", *send)
mute = Mute()
expect(8, "no answer", "many", "--plain", "--timeout", "1", "--server", f"127.0.0.1:{mute.port}", DOMAIN, "1")
expect(8, "time", "echobot", *CA, "--timeout", "0.5", "--server", f"127.0.0.1:{silent.port}", ALICE)

password_file = os.path.join(os.environ["XMPP_TEST_DIR"], "password")
with open(password_file, "w", encoding="ascii") as file:
    file.write("secret\nsecond line\n")
expect(0, "5 of 5", "many", *CA, *DNS, "--password-file", password_file, ALICE, "5", password=None)

xml = ("<iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>\nthis is no XML\n"
       "<message xmlns='jabber:client' to='" + ALICE + "'><body>to myself</body></message>\n/quit\n")
status, output = run("console", *CA, *DNS, ALICE, text=xml)
for words in ("type='result'", "id='p1'", "not a complete XML element", "to myself", "ready"):
    if status or words not in output:
        sys.exit(f"console: exit {status}, {words!r} expected:\n{output}")
if "secret" in output:
    sys.exit("console shows the password")

bot = subprocess.Popen([os.path.join(DIRECTORY, "echobot"), *CA, *DNS, BOB + "/bot"], env=ENV,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
try:
    for line in bot.stdout:
        if "waiting for messages" in line:
            break
    expect(0, "a <b> & 'c'", "send", "--wait", *CA, *DNS, ALICE, BOB + "/bot", "a <b> & 'c'")
    bot.send_signal(signal.SIGTERM)
    rest, _ = bot.communicate(timeout=20)
finally:
    bot.kill()
if bot.returncode or "a <b> & 'c'" not in rest:
    sys.exit(f"echobot: exit {bot.returncode}\n{rest}")
print(checks + 3, "checks")
