#!/usr/bin/python3
"""check-errors.py DIRECTORY [--no-memory-limit] [--show] [NAME...]: what a person sees when something fails.

Each case lets examples/console meet one failure and checks exit status, code, phase, condition, the addresses and the
words of its message. doc/errors.md describes them all. Run by servers.py. --show prints the messages.
"""
import concurrent.futures
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the sources stay as they are
from scripted import (ALICE, BIND, DOMAIN, SASL, STANZAS, STARTTLS, TLS, Server, features, free_port, full_port,
                      make_certificates, mechanisms, sasl_failure, serve_revoked, stream_error)

HERE = os.path.dirname(os.path.abspath(__file__))
ARGS = [a for a in sys.argv[2:] if not a.startswith("--")]
SHOW = "--show" in sys.argv
CONSOLE = os.path.join(sys.argv[1], "console")
ENV = os.environ
DIR = ""  # of the certificates and outputs
CA = ["--ca-file", ENV["XMPP_TEST_CA"]]
PROSODY = ["--server", "127.0.0.1:" + ENV["XMPP_TEST_PORT"]]
SECRET = "open sesame"

# --- running ---

class Console:
    def __init__(self, arguments, password=SECRET, text="", memory=0):
        def prepare():
            if memory:
                resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        self.out, self.err = (tempfile.TemporaryFile(dir=DIR) for _ in range(2))
        # a session of its own: without a terminal nobody can be asked
        self.process = subprocess.Popen([CONSOLE, *arguments], env=dict(ENV, XMPP_PASSWORD=password),
                                        stdin=subprocess.PIPE, stdout=self.out, stderr=self.err,
                                        start_new_session=True, preexec_fn=prepare)
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self):
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "hangs"
        self.process.stdin.close()
        return status, self.read(self.out), self.read(self.err)

    def wait_for(self, words):
        deadline = time.monotonic() + 20
        while words not in self.read(self.out) and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)

    @staticmethod
    def read(file):
        return os.pread(file.fileno(), 1 << 24, 0).decode()


def fields(text):
    """The lines "  name: value" of a message; names may come again."""
    found = {}
    for name, value in re.findall(r"^  ([a-z ]+): (.*)$", text, re.M):
        found.setdefault(name, []).append(value)
    return found


def complaints(case, status, out, err):
    found = fields(err)
    if status != case["exit"]:
        yield f"exit status {status}"
    for name in ("code", "phase", "condition", "number", "certificate"):
        if name in case and found.get(name, [None])[0] != case[name]:
            yield f"{name} is {found.get(name)}"
    if case.get("code") and "condition" not in case and "condition" in found:
        yield f"condition is {found['condition']}"
    for words in case.get("words", ()):
        if words not in err:
            yield f"no {words!r}"
    for words in case.get("out", ()):
        if words not in out:
            yield f"no {words!r} in the output"
    if case.get("tried") and not any(case["tried"] in target for target in found.get("tried", ())):
        yield f"{case['tried']} is not among the addresses"
    if "advice" in case and not any(case["advice"] in advice for advice in found.get("advice", ())):
        yield f"no advice {case['advice']!r}"
    if SECRET in out + err:
        yield "shows the password"
    if any((c < " " and c != "\n") or "\x7f" <= c < "\xa0" or "\u202a" <= c <= "\u202e" for c in out + err):
        yield "control characters"


CASES = {}
helpers = []


def case(name, status, **expected):
    CASES[name] = dict(expected, exit=status)


def scripted(name, status, script, *arguments, **expected):
    case(name, status, script=script, arguments=arguments, **expected)


def run(name):
    one = CASES[name]
    jid = one.get("jid", ALICE)
    arguments = list(one.get("ca", CA)) + list(one.get("arguments", ())) + list(one.get("server", ()))
    options = {key: one[key] for key in ("password", "text", "memory") if key in one}
    if "script" in one:
        port = Server(one["script"], DIR).port
        arguments += ["--server", f"127.0.0.1:{port}"]
        one.setdefault("tried", f"127.0.0.1:{port}" if one.get("code") else "")
    if "function" in one:
        status, out, err = one["function"](one)
    else:
        status, out, err = Console([*arguments, jid], **options).end()
    found = list(complaints(one, status, out, err))
    return name, found, out, err


# --- before the server is reached ---

def zone():
    port = free_port()
    return {
        "_xmpp-client._tcp.off.example": {"SRV": [[0, 0, 0, "."]]},
        "_xmpps-client._tcp.off.example": {"SRV": [[0, 0, 0, "."]]},
        "_xmpp-client._tcp.lost.example": {"SRV": [[0, 0, 5222, "gone.lost.example"]]},
        "_xmpp-client._tcp.refused.example": {"SRV": [[0, 0, port, "host.refused.example"]]},
        "host.refused.example": {"A": ["127.0.0.1", "127.0.0.2"]},
        **{name: {"do": "servfail"} for name in ("_xmpp-client._tcp.broken.example",
                                                 "_xmpps-client._tcp.broken.example")},
        **{name: {"do": "silent"} for name in ("_xmpp-client._tcp.silent.example",
                                               "_xmpps-client._tcp.silent.example")},
    }


def define_reaching():
    case("nxdomain", 4, jid="alice@nowhere.example", code="XMPP_ERR_DNS", phase="resolving", number="4",
         words=["nowhere.example"], tried="nowhere.example:5222", advice="domain of the JID")
    case("srv-off", 4, jid="alice@off.example", code="XMPP_ERR_DNS", phase="resolving",
         words=["off.example does not offer XMPP", '"."'], advice="domain of the JID")
    case("srv-target-nxdomain", 4, jid="alice@lost.example", code="XMPP_ERR_DNS", phase="resolving", number="4",
         words=["lost.example"], tried="gone.lost.example:5222")
    case("dns-servfail", 4, jid="alice@broken.example", code="XMPP_ERR_DNS", phase="resolving", number="11",
         words=["broken.example could not be looked up", "no name server"])
    case("dns-silent", 8, jid="alice@silent.example", arguments=["--timeout", "0.4"], code="XMPP_ERR_TIMEOUT",
         phase="resolving", words=["silent.example", "name servers"], advice="name server")
    case("refused-srv", 6, jid="alice@refused.example", code="XMPP_ERR_SYSTEM", phase="connecting", number="111",
         words=["refused", "[127.0.0.1]:", "[127.0.0.2]:"], tried="host.refused.example [127.0.0.1]:",
         advice="right port")
    port = free_port()
    case("refused", 6, server=["--server", f"127.0.0.1:{port}"], code="XMPP_ERR_SYSTEM", phase="connecting",
         number="111", words=["refused"], tried=f"127.0.0.1:{port}", advice="right port")
    # no packet leaves for a broadcast address
    case("no-route", 1, server=["--server", "255.255.255.255:5222"], code="XMPP_ERR_SYSTEM", phase="connecting",
         number="101", words=["unreachable"], tried="255.255.255.255:5222", advice="network")
    port, held = full_port()
    case("connect-silent", 8, server=["--server", f"127.0.0.1:{port}"], arguments=["--timeout", "0.4"],
         code="XMPP_ERR_TIMEOUT", phase="connecting", words=["0.4 s"], tried=f"127.0.0.1:{port}",
         advice="firewall", held=held)
    case("ca-file-missing", 1, ca=["--ca-file", DIR + "/none.pem"], server=PROSODY, code="XMPP_ERR_SYSTEM", number="2",
         words=["none.pem", "No such file"], advice="name and the permissions")
    case("ca-file-empty", 1, ca=["--ca-file", os.path.join(DIR, "good.tmpl")], server=PROSODY, code="XMPP_ERR_TLS",
         words=["good.tmpl", "no certificate"])


# --- what is not an XMPP server, or not here ---

def define_strangers():
    def http(talk):
        talk.socket.recv(4096)
        talk.send("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nbad")
        talk.wait()

    def ssh(talk):
        talk.send("SSH-2.0-OpenSSH_9.2p1\r\n")
        talk.wait()

    def tls_alert(talk):
        talk.socket.recv(4096)
        talk.send(b"\x15\x03\x01\x00\x02\x02\x46")
        talk.wait()

    def proxy(talk):
        talk.socket.recv(4096)
        talk.send("<html><head><title>Access \x1b]0;denied</title></head><body>proxy</body></html>")
        talk.wait()

    def html(talk):
        talk.socket.recv(4096)
        talk.send("<html><head><title>Sign in</title></head></html>")
        talk.wait()

    def garbage(talk):
        talk.send(bytes(range(128, 256)) * 4)
        talk.wait()

    def hang_up(talk):
        talk.socket.recv(4096)

    for name, script, words in (("http", http, ["HTTP"]), ("ssh", ssh, ["SSH"]), ("tls-port", tls_alert, ["TLS"]),
                                ("proxy", proxy, ["no XMPP server"]), ("html", html, ["<html/>"]), ("garbage", garbage, ["first byte"])):
        conditions = dict.fromkeys(("html", "proxy"), "invalid-namespace")
        code = "XMPP_ERR_PROTOCOL" if name in conditions else "XMPP_ERR_XML"
        scripted(name, 7, script, code=code, phase="securing", words=words, advice="XMPP server",
                 condition=conditions.get(name, "unsupported-encoding"))
        if name != "tls-port":
            scripted(name + "-direct-tls", 1, script, "--direct-tls", code="XMPP_ERR_TLS", phase="securing",
                     words=["does not speak TLS"], advice="XMPP server")
    case("direct-tls-on-plain-port", 1, server=[*PROSODY, "--direct-tls"], code="XMPP_ERR_TLS", phase="securing",
         words=["does not speak TLS", "STARTTLS"], advice="XMPP server")
    case("starttls-on-tls-port", 1, server=["--server", "127.0.0.1:" + ENV["XMPP_TEST_TLS_PORT"]],
         phase="securing", advice="XMPP server")
    scripted("hang-up", 1, hang_up, code="XMPP_ERR_CLOSED", phase="securing", words=["ended"],
             advice="XMPP server")


# --- TLS ---

def define_tls():
    def no_starttls(talk):
        talk.open(features(mechanisms("PLAIN")))
        talk.wait()

    def refuses(talk):
        talk.open(features(STARTTLS))
        talk.until("<starttls")
        talk.send(f"<failure xmlns='{TLS}'/></stream:stream>")
        talk.wait()

    def injects(talk):
        talk.open(features(STARTTLS))
        talk.until("<starttls")
        talk.send(f"<proceed xmlns='{TLS}'/>" + features(mechanisms("PLAIN")))
        talk.wait()

    def old(talk):
        talk.open(features(STARTTLS))
        talk.until("<starttls")
        talk.send(f"<proceed xmlns='{TLS}'/>")
        talk.socket.recv(4096)
        talk.send(b"\x15\x03\x01\x00\x02\x02\x46")
        talk.wait()

    def breaks(talk):
        talk.open(features(STARTTLS))
        talk.until("<starttls")
        talk.send(f"<proceed xmlns='{TLS}'/>")
        talk.socket.recv(4096)

    scripted("no-starttls", 1, no_starttls, code="XMPP_ERR_TLS", phase="securing", words=["no STARTTLS"])
    scripted("starttls-refused", 1, refuses, code="XMPP_ERR_TLS", phase="securing", words=["start TLS"])
    scripted("starttls-injection", 1, injects, code="XMPP_ERR_TLS", phase="securing", words=["<proceed/>"])
    scripted("tls-version", 1, old, code="XMPP_ERR_TLS", phase="securing", words=["protocol_version", "1.2 and 1.3"])
    scripted("tls-broken-off", 1, breaks, code="XMPP_ERR_TLS", phase="securing", words=["during the TLS handshake"])

    def certificate(name, problems, *words, advice):
        def script(talk):
            talk.secure(name)
            talk.wait()
        scripted("certificate-" + name, 5, script, code="XMPP_ERR_CERT", phase="securing", certificate=problems,
                 words=[DOMAIN, *words], advice=advice)

    certificate("expired", "expired", "expired 2021-02-03", advice="clock")
    certificate("early", "not yet valid", "not valid before 2095-01-01", advice="clock")
    certificate("wrong-name", "wrong name", "b.example", advice="domain of the JID")
    certificate("self-signed", "chain not trusted", "self-signed", advice="--ca-file")
    case("certificate-unknown-ca", 5, ca=["--ca-file", os.path.join(DIR, "self-signed.crt")], server=PROSODY,
         code="XMPP_ERR_CERT", phase="securing", certificate="chain not trusted",
         words=["issuer not trusted", "libxmpp throw-away CA"], advice="--ca-file", tried="127.0.0.1")
    server, port = serve_revoked(DIR)
    helpers.append(server)
    case("certificate-revoked", 5, server=["--direct-tls", "--server", f"127.0.0.1:{port}"],
         code="XMPP_ERR_CERT", phase="securing", certificate="revoked", words=["revoked"], advice="operator")


# --- logging in ---

def define_login():
    for name, arguments in (("wrong-password", {}), ("unknown-user", {"jid": "nobody@" + DOMAIN})):
        case(name, 3, server=PROSODY, code="XMPP_ERR_AUTH", phase="authenticating", condition="not-authorized",
             words=["password", "SCRAM-SHA"], advice="password", tried="127.0.0.1", **arguments)

    def refuse(sent, text="", **expected):
        def script(talk):
            talk.authenticate()
            talk.send(sasl_failure(sent, text))
            talk.wait()
        scripted("sasl-" + sent, 3, script, code="XMPP_ERR_AUTH", phase="authenticating", **expected)

    refuse("account-disabled", "Call \u202eme", condition="account-disabled", words=["disabled", "Call"],
           advice="operator")
    refuse("credentials-expired", condition="credentials-expired", words=["expired"], advice="new password")
    refuse("encryption-required", condition="encryption-required", words=["encryption"], advice="TLS")
    refuse("temporary-auth-failure", condition="temporary-auth-failure", words=["later"], advice="later")
    refuse("invalid-mechanism", condition="invalid-mechanism", words=["PLAIN"])
    refuse("mechanism-too-weak", condition="mechanism-too-weak", words=["PLAIN"])
    refuse("invalid-authzid", condition="invalid-authzid", words=["act for"])
    refuse("malformed-request", condition="malformed-request")
    refuse("x-new", condition="not-authorized")

    def offers(name, names, words, more=""):
        def script(talk):
            talk.offer(*names, more=more)
            talk.wait()
        scripted(name, 3, script, code="XMPP_ERR_AUTH", phase="authenticating", words=words)

    offers("no-common-mechanism", ["X-NEW", "GSSAPI"], ["X-NEW", "GSSAPI"])
    offers("no-mechanisms", [], ["no mechanism"])
    offers("only-plus", ["SCRAM-SHA-1-PLUS"], ["channel binding"],
           more="<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='x-new'/></sasl-channel-binding>")
    offers("only-external", ["EXTERNAL"], ["client certificate"])

    def plain_text(talk):
        talk.open(features(mechanisms("PLAIN")))
        talk.wait()

    scripted("plain-without-tls", 3, plain_text, "--plain", code="XMPP_ERR_AUTH", phase="securing",
             words=["PLAIN without TLS"])

    def bad_signature(talk):
        talk.offer("SCRAM-SHA-1")
        talk.until("</auth>")
        talk.send(f"<success xmlns='{SASL}'/>")
        talk.wait()

    scripted("server-proves-nothing", 3, bad_signature, code="XMPP_ERR_AUTH", phase="authenticating",
             words=["SCRAM-SHA-1"])

    def bind(condition, kind):
        def script(talk):
            number = talk.log_in()
            talk.send(f"<iq type='error' id='{number}'><error type='{kind}'><{condition} xmlns='{STANZAS}'/>"
                      "</error></iq>")
            talk.wait()
        scripted("bind-" + condition, 1, script, code="XMPP_ERR_STANZA", phase="binding", condition=condition,
                 words=["resource binding", condition, kind])

    bind("resource-constraint", "wait")
    bind("not-allowed", "cancel")


# --- time-outs of each step ---

def define_timeouts():
    def header(talk):
        talk.until("etherx.jabber.org/streams'>")
        talk.wait()

    def stream_features(talk):
        talk.open("")
        talk.wait()

    def proceed(talk):
        talk.open(features(STARTTLS))
        talk.wait()

    def handshake(talk):
        talk.open(features(STARTTLS))
        talk.until("<starttls")
        talk.send(f"<proceed xmlns='{TLS}'/>")
        talk.wait()

    def mechanism_list(talk):
        talk.secure()
        talk.wait()

    def sasl(talk):
        talk.authenticate()
        talk.wait()

    def binding(talk):
        talk.log_in()
        talk.wait()

    for script, phase, words in (
            (header, "securing", "stream header"), (stream_features, "securing", "stream features"),
            (proceed, "securing", "STARTTLS"), (handshake, "securing", "TLS handshake"),
            (mechanism_list, "authenticating", "stream header"), (sasl, "authenticating", "authentication"),
            (binding, "binding", "resource binding")):
        scripted("timeout-" + script.__name__.replace("_", "-"), 8, script, "--timeout", "0.7",
                 code="XMPP_ERR_TIMEOUT", phase=phase, words=["0.7 s", words])

    def direct(talk):
        talk.wait()

    scripted("timeout-direct-tls", 8, direct, "--timeout", "0.5", "--direct-tls", code="XMPP_ERR_TIMEOUT",
             phase="securing", words=["TLS handshake"])


# --- stream errors, and the end of a session ---

def define_streams():
    def early(name, condition, status=1, text="", content="", **expected):
        def script(talk):
            talk.open(stream_error(condition, text, content))
            talk.wait()
        scripted(name, status, script, code="XMPP_ERR_STREAM", phase="securing", condition=condition, **expected)

    def late(sent, text="", content="", words=(), condition=None, **expected):
        def script(talk):
            talk.ready()
            talk.send(stream_error(sent, text, content))
            talk.wait()
        condition = condition or sent
        scripted("ready-" + sent, 1, script, code="XMPP_ERR_STREAM", phase="ready", condition=condition,
                 words=[condition, *words], **expected)

    early("host-gone", "host-gone", advice="JID")
    early("host-unknown", "host-unknown", 4, advice="JID")
    early("see-other-host-plain", "see-other-host", content="127.0.0.1:1", words=["127.0.0.1:1"], advice="trust")
    case("host-unknown-prosody", 4, server=PROSODY, jid="alice@other.example", code="XMPP_ERR_STREAM",
         phase="securing", condition="host-unknown", words=["other.example"], advice="JID", tried="127.0.0.1")

    late("conflict", "Replaced by new connection", words=["Replaced by new connection"], advice="resource")
    late("policy-violation", "Too \u009b31mfast\nconsole: logged in", words=["Too "], advice="slower")
    late("resource-constraint", advice="later")
    late("system-shutdown", "back at noön" * 100, words=["noön"], advice="minutes")
    late("not-well-formed")
    late("connection-timeout", advice="log in again")
    late("see-other-host", content="b.example", words=["b.example"])
    # CORE-19
    late("x-new", condition="undefined-condition")

    def redirect(where):
        def script(talk):
            talk.secure()
            talk.open(stream_error("see-other-host", content=where))
            talk.wait()
        return script

    def gone(talk):
        talk.secure()
        talk.open(stream_error("host-gone"))
        talk.wait()

    other = Server(gone, DIR)
    scripted("redirected", 1, redirect(f"127.0.0.1:{other.port}"), code="XMPP_ERR_STREAM", phase="authenticating",
             condition="host-gone", tried=f"127.0.0.1:{other.port}")
    scripted("redirected-nowhere", 6, redirect(f"127.0.0.1:{free_port()}"), code="XMPP_ERR_SYSTEM",
             phase="connecting", number="111", words=["refused"], tried="127.0.0.1:")
    scripted("redirected-unusable", 1, redirect("no host!"), code="XMPP_ERR_STREAM", phase="authenticating",
             condition="see-other-host", words=["no host!"])

    def ended(name, do, **expected):
        def script(talk):
            talk.ready()
            do(talk)
            talk.wait()
        scripted(name, 1, script, phase="ready", **expected)

    ended("not-well-formed", lambda talk: talk.send("<message></presence>"), code="XMPP_ERR_XML",
          condition="not-well-formed", words=["XML"])
    ended("restricted-xml", lambda talk: talk.send("<!-- x -->"), code="XMPP_ERR_XML", condition="restricted-xml",
          words=["comment"])
    ended("stanza-too-large", lambda talk: talk.send("<message><body>" + "x" * (5 << 20)), code="XMPP_ERR_LIMIT",
          condition="policy-violation", words=["4194304"])
    ended("closed", lambda talk: talk.send("</stream:stream>"), code="XMPP_ERR_CLOSED",
          words=["the server closed the stream"], advice="log in again")
    ended("no-close-notify", lambda talk: talk.socket.close(), code="XMPP_ERR_TLS", words=["close_notify"])
    ended("reset", lambda talk: talk.reset(), code="XMPP_ERR_SYSTEM", number="104", words=["reset by peer"],
          advice="log in again")
    ended("tls-garbage", lambda talk: os.write(talk.socket.fileno(), b"garbage" * 100), code="XMPP_ERR_TLS")
    case("killed", 1, function=kill_server, code="XMPP_ERR_TLS", phase="ready", words=["close_notify"],
         tried="127.0.0.1")
    case("replaced", 1, function=replace, code="XMPP_ERR_STREAM", phase="ready", condition="conflict",
         words=["conflict"], advice="another client", tried="127.0.0.1")

    def takes_little(talk):
        talk.ready("<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits>")
        talk.until("</stream:stream>")
        talk.send("</stream:stream>")
        talk.wait()

    scripted("ours-too-large", 0, takes_little, text="<message><body>" + "x" * 11000 + "</body></message>\n/quit\n",
             out=["not sent: larger"], tried="")

    def fills(talk):
        talk.ready()
        talk.send("<message><body>" + "<x/>" * 400000)
        talk.wait()

    if "--no-memory-limit" not in sys.argv:
        scripted("out-of-memory", 1, fills, memory=12 << 20, code="XMPP_ERR_NOMEM", phase="none",
                 words=["out of memory"], tried="", advice="memory")


def kill_server(one):
    """A server that is a process of its own, killed as soon as the session is up."""
    server = subprocess.Popen([sys.executable, os.path.join(HERE, "scripted.py"), DIR], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    port = int(server.stdout.readline())
    one["tried"] = f"127.0.0.1:{port}"
    console = Console([*CA, "--server", f"127.0.0.1:{port}", ALICE])
    console.wait_for("-> ready")
    server.kill()
    server.wait()
    return console.end()


def replace(_case):
    arguments = [*CA, *PROSODY, "bob@" + DOMAIN + "/same"]
    first = Console(arguments, password="secret")
    first.wait_for("-> ready")
    second = Console(arguments, password="secret")
    result = first.end()
    second.process.stdin.close()
    second.process.wait(20)
    return result


def main():
    global DIR
    DIR = tempfile.mkdtemp(dir=ENV["XMPP_TEST_DIR"])
    make_certificates(DIR)
    dns = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "../support/dns.py"), json.dumps(zone())],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    CA.extend(["--dns", "127.0.0.1:" + dns.stdout.readline().decode().strip()])
    failed = 0
    try:
        for define in (define_reaching, define_strangers, define_tls, define_login, define_timeouts, define_streams):
            define()
        names = ARGS or list(CASES)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for name, found, out, err in pool.map(run, names):
                failed += bool(found)
                if SHOW or found:
                    print(f"--- {name}\n{err}" + (out[-1500:] if found else ""))
                for complaint in found:
                    print(f"*** {name}: {complaint}")
    finally:
        for process in helpers:
            process.terminate()
            process.wait()
        dns.stdin.close()
        dns.wait()
    print(f"{len(names)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
