#!/usr/bin/python3
"""Private servers on loopback for tests and the demo: a throw-away CA, Prosody, a DNS server with its SRV records.

    servers.py [options] -- PROGRAM ARGUMENT...

starts them on free ports in a temporary directory, runs PROGRAM with their addresses in its environment, stops
everything and exits with PROGRAM's status. Nothing is left behind, also after a signal.

Environment of PROGRAM:
  XMPP_TEST_DOMAIN     a.example; its accounts are named by --accounts, password "secret"
  XMPP_TEST_PORT       STARTTLS port           XMPP_TEST_TLS_PORT   direct TLS port
  XMPP_TEST_TLS        1.2 or 1.3
  XMPP_TEST_CA         PEM file of the CA      XMPP_TEST_DNS        127.0.0.1:PORT
  XMPP_TEST_SERVER_PID process id of Prosody   XMPP_TEST_DIR        the temporary directory
"""
import argparse
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

DOMAIN = "a.example"
HERE = os.path.dirname(os.path.abspath(__file__))


class Failure(Exception):
    pass


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise Failure(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')}")


def make_certificates(directory):
    """A CA that lives for three days and a certificate for the domain."""
    def path(name):
        return os.path.join(directory, name)

    def key(name):
        run("certtool", "--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1",
            "--outfile", path(name))

    def template(name, text):
        with open(path(name), "w", encoding="ascii") as file:
            file.write(text)

    key("ca.key")
    template("ca.tmpl", 'cn = "libxmpp throw-away CA"\nca\ncert_signing_key\nexpiration_days = 3\n')
    run("certtool", "--generate-self-signed", "--load-privkey", path("ca.key"), "--template",
        path("ca.tmpl"), "--outfile", path("ca.crt"))
    key(DOMAIN + ".key")
    template("leaf.tmpl", f'cn = "{DOMAIN}"\nsigning_key\ntls_www_server\nexpiration_days = 3\n'
             f"dns_name = {DOMAIN}\ndns_name = anon.example\n")
    run("certtool", "--generate-certificate", "--load-privkey", path(DOMAIN + ".key"),
        "--load-ca-certificate", path("ca.crt"), "--load-ca-privkey", path("ca.key"), "--template",
        path("leaf.tmpl"), "--outfile", path(DOMAIN + ".crt"))


class Prosody:
    """One private Prosody that does not run as root."""

    def __init__(self, directory, options):
        self.directory = directory
        self.process = None
        self.c2s, self.tls = free_ports(2)
        data = os.path.join(directory, "data")
        os.makedirs(data)
        self.config = os.path.join(directory, "prosody.cfg.lua")
        self.log = os.path.join(directory, "prosody.log")
        certs = os.path.join(directory, "certs")
        interfaces = '"127.0.0.1", "::1"' if has_ipv6() else '"127.0.0.1"'
        protocol = {"1.2": "tlsv1_2", "1.3": "tlsv1_3"}[options.tls]
        tls = (f'{{ certificate = "{certs}/{DOMAIN}.crt", key = "{certs}/{DOMAIN}.key", '
               f'protocol = "{protocol}" }}')
        modules = ["roster", "saslauth", "tls", "disco", "ping", "posix"]
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"""
pidfile = "{directory}/prosody.pid"
data_path = "{data}"
log = {{ {{ levels = {{ min = "debug" }}, to = "file", filename = "{self.log}" }} }}
interfaces = {{ {interfaces} }}
c2s_ports = {{ {self.c2s} }}
c2s_direct_tls_ports = {{ {self.tls} }}
s2s_ports = {{}}
c2s_direct_tls_ssl = {tls}
ssl = {tls}
authentication = "internal_plain"
c2s_require_encryption = true
allow_unencrypted_plain_auth = false
limits = {{}}
modules_enabled = {{ {", ".join('"' + name + '"' for name in modules)} }}
modules_disabled = {{ "s2s", "offline" }}
VirtualHost "{DOMAIN}"
VirtualHost "wrong.example"
  ssl = {tls}
VirtualHost "anon.example"
  authentication = "anonymous"
  ssl = {tls}
""")
        for name in options.accounts:
            self.add_account(name, "secret")

    def add_account(self, name, password):
        accounts = os.path.join(self.directory, "data", DOMAIN.replace(".", "%2e"), "accounts")
        os.makedirs(accounts, exist_ok=True)
        with open(os.path.join(accounts, name + ".dat"), "w", encoding="utf-8") as file:
            file.write('return { ["password"] = "%s"; };\n' % password)

    def start(self):
        command = ["setpriv", "--pdeathsig", "KILL"]
        if os.getuid() == 0:
            try:
                user = pwd.getpwnam("prosody")
            except KeyError:
                user = pwd.getpwnam("nobody")
            command += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
            for top, directories, files in os.walk(self.directory):
                for name in directories + files + [""]:
                    os.chown(os.path.join(top, name), user.pw_uid, user.pw_gid)
        command += ["prosody", "-F", "--config", self.config]
        with open(os.path.join(self.directory, "prosody.out"), "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, cwd=self.directory)
        deadline = time.monotonic() + 30
        for port in (self.c2s, self.tls):
            while True:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failure("Prosody does not start:\n" + self.output())
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.02)

    def output(self):
        text = ""
        for name in ("prosody.out", "prosody.log"):
            try:
                with open(os.path.join(self.directory, name), encoding="utf-8",
                          errors="replace") as file:
                    text += file.read()[-4000:]
            except OSError:
                pass
        return text

    def stop(self):
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


class Dns:
    """The scripted name server; ends when its standard input closes."""

    def __init__(self):
        self.process = None
        self.port = None

    def start(self, zone):
        self.process = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "dns.py"),
                                         json.dumps(zone)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        line = self.process.stdout.readline()
        if not line.strip():
            raise Failure("the DNS server does not start")
        self.port = int(line)

    def stop(self):
        if not self.process:
            return
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def make_zone(prosody, options):
    """SRV records with the ports that were found. Direct TLS is preferred, as XEP-0368 allows."""
    host = "xmpp." + DOMAIN
    addresses = {"A": ["127.0.0.1"], "AAAA": ["::1"] if has_ipv6() else []}
    zone = {f"_xmpp-client._tcp.{DOMAIN}": {"SRV": [[10, 0, prosody.c2s, host]]}, host: addresses}
    if options.direct_tls:
        zone[f"_xmpps-client._tcp.{DOMAIN}"] = {"SRV": [[5, 0, prosody.tls, host]]}
    zone["_xmpp-client._tcp.anon.example"] = {"SRV": [[10, 0, prosody.c2s, host]]}
    zone["_xmpp-client._tcp.refused.example"] = {"SRV": [[0, 0, free_ports(1)[0], host]]}
    for service in ("_xmpp-client", "_xmpps-client"):
        zone[service + "._tcp.off.example"] = {"SRV": [[0, 0, 0, "."]]}
    return zone


def main():
    parser = argparse.ArgumentParser(description="Runs a program with private servers.")
    parser.add_argument("--tls", choices=["1.2", "1.3"], default="1.3")
    parser.add_argument("--direct-tls", action="store_true", help="SRV records for direct TLS, too")
    parser.add_argument("--accounts", default="alice,bob", type=lambda text: text.split(","))
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()

    def on_signal(number, _frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)

    directory = tempfile.mkdtemp(prefix="libxmpp-")
    os.chmod(directory, 0o755)
    started = []
    program = None
    try:
        os.mkdir(os.path.join(directory, "certs"))
        make_certificates(os.path.join(directory, "certs"))
        shutil.copy(os.path.join(directory, "certs", "ca.crt"), os.path.join(directory, "ca.crt"))
        prosody = Prosody(directory, options)
        started.append(prosody)
        prosody.start()
        dns = Dns()
        started.append(dns)
        dns.start(make_zone(prosody, options))
        environment = dict(os.environ, XMPP_TEST_DOMAIN=DOMAIN, XMPP_TEST_TLS=options.tls,
                           XMPP_TEST_PORT=str(prosody.c2s),
                           XMPP_TEST_TLS_PORT=str(prosody.tls),
                           XMPP_TEST_CA=os.path.join(directory, "ca.crt"),
                           XMPP_TEST_DNS=f"127.0.0.1:{dns.port}",
                           XMPP_TEST_SERVER_PID=str(prosody.process.pid), XMPP_TEST_DIR=directory)
        program = subprocess.Popen(options.program, env=environment)
        status = program.wait()
        if status and os.environ.get("XMPP_TEST_VERBOSE"):
            sys.stderr.write(prosody.output())
        return 128 - status if status < 0 else status
    except Failure as failure:
        print(f"servers.py: {failure}", file=sys.stderr)
        return 99
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if program and program.poll() is None:
            program.terminate()
            try:
                program.wait(5)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        for server in reversed(started):
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
