#!/usr/bin/python3
"""Scripted name server for tests and demonstrations: UDP and TCP on one port of 127.0.0.1.

    dns.py ZONE [--log]

ZONE is a JSON object, or the name of a file that holds one. Prints the port on the first line and ends when its
standard input is closed. With --log each question follows as a line "NAME TYPE udp|tcp".

    { "_xmpp-client._tcp.a.example": {"SRV": [[10, 0, 5222, "x1.a.example"]]},
      "x1.a.example":                {"A": ["127.0.0.1"], "AAAA": ["::1"], "TXT": ["any text"]},
      "_xmpp-client._tcp.b.example": {"CNAME": "_xmpp-client._tcp.a.example"},
      "_xmpp-client._tcp.c.example": {"SRV": [[0, 0, 0, "."]]},
      "_xmpp-client._tcp.d.example": {"many": 10000, "port": 5222},
      "_xmpp-client._tcp.e.example": {"do": "servfail"},
      "x2.a.example":                {"A": ["127.0.0.2"], "do": {"AAAA": "silent"}} }

"many" makes that many SRV records, or as many as an answer of 65535 bytes holds; the n-th has priority n (with
"falling": true 65535 - n), the weight 0 and the target hN.NAME. The same with "many_a": addresses of 127.0.0.0/8.
"do" is one of nxdomain, servfail, refused, silent, garbage, wrongid, short, truncate, "slow SECONDS"; or an object
that gives one for each type. truncate: the TC bit is set over TCP too. What is not in the zone does not exist.
An answer of more than 512 bytes is truncated over UDP.
"""
import json
import os
import socketserver
import struct
import sys
import threading
import time

from dnslib import A, AAAA, CNAME, QTYPE, RCODE, RR, SRV, TXT, DNSRecord

RCODES = {"nxdomain": RCODE.NXDOMAIN, "servfail": RCODE.SERVFAIL, "refused": RCODE.REFUSED}
zone = {}
log = False


def dot(name):
    return name if name.endswith(".") else name + "."


def records(entry, name, kind):
    if kind == "SRV":
        return [SRV(p, w, port, dot(t)) for p, w, port, t in entry.get("SRV", ())]
    if kind == "A":
        return [A(x) for x in entry.get("A", ())]
    if kind == "AAAA":
        return [AAAA(x) for x in entry.get("AAAA", ())]
    if kind == "TXT":
        return [TXT(x) for x in entry.get("TXT", ())]
    return []


def many(reply, data, entry, kind):
    """A long list of records, packed by hand: dnslib would take seconds."""
    count, body, done = entry.get("many" if kind == "SRV" else "many_a", 0), b"", 0
    question = reply.pack()[12:]
    for n in range(count):
        if kind == "SRV":
            label = b"h%d" % n
            priority = 65535 - n if entry.get("falling") else n
            rdata = struct.pack("!HHH", priority, 0, entry.get("port", 5222)) + bytes([len(label)]) + label + b"\xc0\x0c"
            head = struct.pack("!HHHIH", 0xC00C, 33, 1, 60, len(rdata))
        else:
            rdata = struct.pack("!I", 0x7F000001 + n)
            head = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, len(rdata))
        if 12 + len(question) + len(body) + len(head) + len(rdata) > 65535:
            break
        body += head + rdata
        done += 1
    return data[:2] + struct.pack("!HHHHH", 0x8180, 1, done, 0, 0) + question + body


def compose(data, udp):
    query = DNSRecord.parse(data)
    name = str(query.q.qname).lower().rstrip(".")
    kind = QTYPE[query.q.qtype]
    reply = query.reply(ra=1)
    entry = zone.get(name, {})
    odd = entry.get("do", "")
    if isinstance(odd, dict):
        odd = odd.get(kind, "")
    if log:
        print(name, kind, "udp" if udp else "tcp", flush=True)
    if odd == "silent":
        return None
    if odd == "garbage":
        return data[:2] + b"\x81\x80" + b"\xff" * 30
    if odd == "short":
        return data[:7]
    if odd == "wrongid":
        return bytes([data[0] ^ 1]) + reply.pack()[1:]
    if odd.startswith("slow "):
        time.sleep(float(odd[5:]))
    if odd in RCODES:
        reply.header.rcode = RCODES[odd]
        return reply.pack()

    seen, found = set(), name in zone
    current = name
    while True:
        entry = zone.get(current, {})
        if ("many" in entry and kind == "SRV") or ("many_a" in entry and kind == "A"):
            answer = many(reply, data, entry, kind)
            break
        for rdata in records(entry, current, kind):
            reply.add_answer(RR(current, getattr(QTYPE, kind), ttl=60, rdata=rdata))
        alias = entry.get("CNAME")
        if not alias or current in seen:
            answer = None
            break
        seen.add(current)
        reply.add_answer(RR(current, QTYPE.CNAME, ttl=60, rdata=CNAME(dot(alias))))
        current = alias.lower()
    if answer is None:
        if not found:
            reply.header.rcode = RCODE.NXDOMAIN
        answer = reply.pack()
    if odd == "truncate" or (udp and len(answer) > 512):
        reply = query.reply(ra=1)
        reply.header.tc = 1
        answer = reply.pack()
    return answer


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        answer = compose(self.request[0], True)
        if answer:
            self.request[1].sendto(answer, self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def receive(self, count):
        data = b""
        while len(data) < count:
            part = self.request.recv(count - len(data))
            if not part:
                return None
            data += part
        return data

    def handle(self):
        while True:
            head = self.receive(2)
            data = self.receive(struct.unpack("!H", head)[0]) if head else None
            if not data:
                return
            answer = compose(data, False)
            if answer:
                self.request.sendall(struct.pack("!H", len(answer)) + answer)


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def open_servers():
    """One port for both: the one that TCP got may be taken for UDP."""
    while True:
        tcp = TcpServer(("127.0.0.1", 0), Tcp)
        try:
            return tcp, UdpServer(tcp.server_address, Udp)
        except OSError:
            tcp.server_close()


def main():
    global log
    text = sys.argv[1]
    log = "--log" in sys.argv[2:]
    if not text.lstrip().startswith("{"):
        with open(text, encoding="utf-8") as file:
            text = file.read()
    zone.update({name.lower().rstrip("."): entry for name, entry in json.loads(text).items()})
    servers = open_servers()
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(servers[0].server_address[1], flush=True)
    while os.read(0, 4096):
        pass
    os._exit(0)


main()
