#!/usr/bin/env python3
"""Makes the first inputs of the fuzz targets: from the dialogues and from vectors.

usage: seeds.py FUZZ-RECORD FOLDER

FUZZ-RECORD is the program that plays dialogues (tests/fuzz/record.c). Writes FOLDER/<target>/<name>; scripts/fuzz
--merge takes what is worth keeping into the corpus.
"""

import base64
import hashlib
import hmac
import pathlib
import re
import struct
import subprocess
import sys

LARGEST = 10000
HERE = pathlib.Path(__file__).resolve().parent
NONCE = base64.b64encode(b'\x5a' * 24).decode()  # of 24 random bytes, as rand.c makes them

# RFC 7622, 3.5, and the corners of the profiles
JIDS = '''
juliet@example.com|juliet@example.com/foo|juliet@example.com/foo bar|juliet@example.com/foo@bar
foo\\20bar@example.com|fussball@example.com|fu\u00dfball@example.com|\u03c0@example.com|\u03a3@example.com/foo
king@example.com/\u265a|henry\u2163@example.com|\u265a@example.com|"juliet"@example.com|foo bar@example.com
@example.com/|juliet@|/foobar|a@b/|example.com/a/b@c|a.example.|A.EXAMPLE|xn--bcher-kva.example|b\u00fccher.example
127.0.0.1|[::1]|a@[2001:db8::1]/r|[::1%eth0]|\u3002.example|a\uff0eexample|\u0627\u0644@example.com
\u05d0@\u05d1.example/\u05d2|a\u0301@e\u0301.example|\uff41@example.com|\u00ad@a|\u200c@a|\u0915\u094d\u200d@a.example
\u0660\u06f0@a|l\u00b7l@a.example|\u0375a@a|\u30fb@a|\u1e9e@a.example|\u0130@a.example|\U0001f600@a/\U0001f600
a@example.com/ \u3000x|xn--a.example|-a.example|a..b|a_b.example|\u212a@a|\ufb01@a|\ua7ae@a|a@faß.de
'''


def write(folder, name, data):
    if isinstance(data, str):
        data = data.encode()
    if len(data) <= LARGEST:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def make_stream(program, folder):
    """One input for each dialogue."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((HERE.parent / 'dialog').glob('*.dlg')):
        out = folder / path.stem
        subprocess.run([program, path, out], check=True)
        if out.stat().st_size > LARGEST:
            out.unlink()


def server_text(data):
    """What the server said, without orders."""
    return re.sub(rb'[\x05\x08\x0c].|[\x00-\x08\x0b\x0c\x0e\x0f]', b'', data[3:], flags=re.S)


def make_parse(streams, folder):
    for path in sorted(streams.iterdir()):
        text = server_text(path.read_bytes())
        write(folder, path.name, b'\0\x20\1' + text)
        if len(text) < 400:
            write(folder, path.name + '-tight', b'\1\x10\2' + text)
    vectors = {
        'entities': "<s><a b='&amp;&#x41;&#10;&lt;'>&gt;&quot;&apos;&#x1F600;</a></s>",
        'cdata': '<s><a><![CDATA[<&]]x>]]>]]&gt;</a></s>',
        'prefixes': "<p:s xmlns:p='u' xmlns='v'><a p:b='1' xmlns:q='w'><q:c q:d='2' xml:lang='de'/></a></p:s>",
        'bom': '\ufeff<s><a/></s>',
        'declaration': "<?xml version='1.0' encoding='UTF-8' standalone='yes'?><s/>",
        'characters': '<s>\n<b\u00fc \u00e9="\U0001f600">\u0085\u2028\ud7ff\ufffd</b\u00fc></s>',
        'long-tag': '<s><a b="' + 'x' * 9000 + '"/><c/></s>',
        'quotes': """<s a='">' b="'>"><c d='/>"'/></s>""",
        'undeclare': "<s xmlns='a'><b xmlns=''><c/></b></s>",
    }
    for name, text in vectors.items():
        write(folder, name, b'\0\x03\1' + text.encode())
        write(folder, name + '-bytes', b'\2\x03\1' + text.encode())


def make_jid(folder):
    for number, jid in enumerate(re.split(r'[|\n]', JIDS.strip())):
        write(folder, f'parse-{number}', jid)
        match = re.fullmatch(r'(?:([^@/]*)@)?([^/]*)(?:/(.*))?', jid, flags=re.S)
        if match:
            write(folder, f'compose-{number}', '\0'.join(part or '' for part in match.groups()))
    # 1023 bytes of each part; lower case and NFC change the length
    host = '.'.join(['a' * 50] * 20)
    for number, (local, resource) in enumerate([('a' * 1023, 'b' * 1023), ('a' * 1024, 'b'), ('a', 'b' * 1024),
                                                ('a' * 1020 + '\u0130', 'b'), ('a', 'b' * 1020 + 'a\u0301\u00a0')]):
        write(folder, f'long-{number}', f'{local}@{host}/{resource}')
        write(folder, f'long-compose-{number}', '\0'.join((local, 'a', resource)))


def make_write(folder):
    def text(value):
        return bytes([len(value.encode())]) + value.encode()
    tree = b'\1\1' + text('urn:x') + text('a')
    stanza = b'\0' + b'\1' + text('chat') + text('b@c.example/d')
    attr = b'\3' + text('b') + text("<&>'\"\t\n")
    attr_ns = b'\4\1' + text('urn:y') + text('c') + text('d')
    child = b'\1\1' + text('urn:z') + text('e')
    body = b'\7\0' + text('body') + text('x]]>y\r')
    programs = {
        'tree': tree + attr + attr_ns + child + attr + b'\2' + body,
        'stanza': stanza + body + child + child + b'\5' + text('hello') + b'\2\x08\1\x06' + text('there'),
        'copy': tree + child + attr_ns + b'\x08\1\x08\2\x08\0' + b'\3' + text('xml:lang') + text('de') + b'\x08\0',
        'words': bytes([0, 9, 209, 230, 1, 1, 218, 215, 3, 211, 231, 5, 238, 2, 7, 1, 222, 223, 240]),
        'lang': tree + b'\3' + text('xml:lang') + text('en') + child + b'\3' + text('xml:lang') + text('') + b'\x08\1',
    }
    for name, program in programs.items():
        write(folder, name, program)



def make_pipe(streams, folder):
    """The same conversations, through TLS: behind STARTTLS, and from the first byte."""
    for path in sorted(streams.iterdir()):
        first, text = path.read_bytes()[0], path.read_bytes()[3:]
        _, tls, behind = text.partition(b'\2')
        if first == 1:
            write(folder, path.name, b'\2\0' + text)
        else:
            write(folder, path.name, b'\3\0' + text)
        if tls and path.name.startswith(('tls', 'close', 'scram', 'login', 'ready', 'sasl-f')):
            write(folder, path.name + '-direct', b'\2\x40' + behind)
    login = (streams / 'login-plain').read_bytes()[3:].partition(b'\2')[2].split(b'</iq>')[0] + b'</iq>'
    hello = b'<message from="b@a.example"><body>1</body></message>'
    for number in range(8):
        what = b'\x10' + bytes([number]) + b'\x10' + bytes([8 + number]) + b'abcdefgh'
        write(folder, f'tls13-{number}', b'\2\x08' + login + hello + what + hello)
        write(folder, f'tls12-{number}', b'\2\x01' + login + hello + what + hello)
        write(folder, f'expired-{number}', bytes([2, 2 + 4 * (number % 2)]) + b'\x10\x06\0' + bytes([8 * number])
              + [b'\4', b'\2'][number // 2 % 2] + login + b'\4')
    body = b'\x03\x03' + bytes(range(32)) + b'\x20' + bytes(32) + b'\x13\x02\0\0\x2e' \
        + b'\0\x2b\0\2\3\4\0\x33\0\x24\0\x1d\0\x20' + bytes(range(32))
    handshake = b'\2' + struct.pack('>I', len(body))[1:] + body
    raw = {
        'server-hello': b'\x16\3\3' + struct.pack('>H', len(handshake)) + handshake,
        'change-cipher': b'\x14\3\3\0\1\1',
        'alert': b'\x15\3\3\0\2\2\x28',
        'http': b'HTTP/1.1 400 Bad Request\r\n\r\n',
        'ssh': b'SSH-2.0-OpenSSH_9.2\r\n',
        'xmpp': b"<?xml version='1.0'?><stream:stream xmlns='jabber:client'>",
        'data': b'\x17\3\3\0\x10' + bytes(16),
        'huge': b'\x16\3\3\xff\xff' + bytes(100),
    }
    for name, data in raw.items():
        escaped = re.sub(rb'[\x00-\x08\x0b\x0c\x0e-\x10]', lambda m: b'\x0f' + m.group(0), data)
        write(folder, 'raw-' + name, b'\0\0' + escaped)
        offer = (streams / 'tls-failure').read_bytes()[3:].split(b'</stream:features>')[0] + b'</stream:features>\1'
        proceed = b'<proceed xmlns="urn:ietf:params:xml:ns:xmpp-tls"/>\1'
        write(folder, 'raw-behind-' + name, b'\1\0' + offer + proceed + escaped)


def scram(name, plus):
    """The server's two messages, for the password of the dialogues and the nonce of rand.c."""
    nonce = NONCE
    salt, iterations = b'salt', 4096
    user = 'user'
    gs2 = 'p=tls-exporter,,' if plus else 'n,,'
    first = f'r={nonce}SERVER,s={base64.b64encode(salt).decode()},i={iterations}'
    binding = gs2.encode() + (b'0123456789abcdef' if plus else b'')
    final_bare = f'c={base64.b64encode(binding).decode()},r={nonce}SERVER'
    auth = f'n={user},r={nonce},{first},{final_bare}'.encode()
    salted = hashlib.pbkdf2_hmac(name, b'pencil', salt, iterations)
    key = hmac.new(salted, b'Server Key', name).digest()
    verifier = base64.b64encode(hmac.new(key, auth, name).digest()).decode()
    return first.encode(), b'v=' + verifier.encode()


def make_sasl(folder):
    for number, (name, plus) in enumerate([(n, p) for p in (False, True) for n in ('sha1', 'sha256', 'sha512')]):
        first, final = scram(name, plus)
        for flags in (0, 1, 2, 4, 8, 16, 32, 64, 128, 0xc4):
            write(folder, f'scram-{number}-{flags}', bytes([number, flags, 0]) + first + b'\xff' + final + b'\xfe')
        write(folder, f'scram-{number}-challenge', bytes([number, 0, 0]) + first + b'\xff' + final + b'\xff\xfe')
        write(folder, f'scram-{number}-error', bytes([number, 0, 0]) + first + b'\xffe=invalid-proof\xfe')
        write(folder, f'scram-{number}-attributes', bytes([number, 192, 0]) + first + b',h=AAAA,t=AAAA,x=y\xff' + final)
        write(folder, f'scram-{number}-mandatory', bytes([number, 0, 0]) + b'm=x,' + first + b'\xff')
        write(folder, f'scram-{number}-count', bytes([number, 0, 0]) + first.replace(b'4096', b'1000000') + b'\xff')
    for number in range(6, 9):
        for flags in (0, 1, 16, 32):
            write(folder, f'simple-{number}-{flags}', bytes([number, flags, 0]) + b'\xfe')
    digest = b'realm="a.example",nonce="OA6MG9tEQGm2hh",qop="auth",charset=utf-8,algorithm=md5-sess'
    write(folder, 'digest', b'\x09\0\0' + digest + b'\xffrspauth=ea40f60335c427b5527b84dbabcdfffd\xfe')
    write(folder, 'digest-early', b'\x09\0\0rspauth=x\xff')
    write(folder, 'digest-other', b'\x09\x31\0' + digest + b'\xff\xff')
    write(folder, 'cram', b'\x0a\0\0<1896.697170952@a.example>\xff\xfe')
    write(folder, 'login', b'\x0b\0\0Username:\xffPassword:\xff\xfe')
    write(folder, 'ntlm', b'\x0c\0\0NTLMSSP\0\2\0\0\0' + bytes(60) + b'\xff\xfe')
    offers = {
        'all': (b'SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN EXTERNAL X-OAUTH2',
                b'tls-exporter', b'SCRAM-SHA-256 PLAIN'),
        'plain': (b'PLAIN', b'', b''),
        'anonymous': (b'ANONYMOUS', b'', b''),
        'foreign': (b'DIGEST-MD5 CRAM-MD5 LOGIN', b'', b'DIGEST-MD5'),
        'plus': (b'SCRAM-SHA-512-PLUS', b'tls-server-end-point tls-unique', b''),
        'removed': (b'SCRAM-SHA-512 PLAIN', b'tls-exporter', b''),
    }
    first, final = scram('sha256', False)
    for name, lists in offers.items():
        for flags in (0, 1, 3, 5, 9, 0x11, 0x31, 0x51, 0x81, 0xb1):
            for own in (0, 8):
                write(folder, f'select-{name}-{flags}-{own}', bytes([13, own, flags]) + b'\xff'.join(lists) + b'\xff'
                      + first + b'\xff' + final + b'\xfe')


def dns_packet(count, target=b'\2x1\1a\7example\0', kind=33, priority=lambda n: n % 3, question=True):
    name = b'\x0c_xmpp-client\4_tcp\1a\7example\0'
    packet = struct.pack('>6H', 1, 0x8180, 1 if question else 0, count, 0, 0)
    if question:
        packet += name + struct.pack('>2H', kind, 1)
    for number in range(count):
        data = struct.pack('>3H', priority(number), number, 5222) + target
        packet += b'\xc0\x0c' + struct.pack('>2HIH', kind, 1, 300, len(data)) + data
    return packet


def make_dns(folder):
    srv = b'\0\x1f'
    packets = {
        'one': dns_packet(1), 'three': dns_packet(3), 'none': dns_packet(0), 'dot': dns_packet(1, b'\0'),
        'many': dns_packet(70), 'falling': dns_packet(80, priority=lambda n: 100 - n),
        'pointer': dns_packet(2, b'\xc0\x0c'), 'loop': dns_packet(1, b'\xc0\x33\xc0\x31'),
        'address': dns_packet(1, kind=1), 'no-question': dns_packet(1, question=False),
        'escapes': dns_packet(1, b'\5a.b\0\\\1a\0'), 'short': dns_packet(1)[:-3],
    }
    for name, packet in packets.items():
        write(folder, name, srv + packet)
    for status in range(6):
        write(folder, f'status-{status}', bytes([0, status]))
        write(folder, f'addresses-status-{status}', bytes([1, status]) + b'\1' + bytes(15) + b'\1')
    write(folder, 'addresses', b'\1\x1f' + (b'\0\x7f\0\0\1' + b'\1\x20\1' + bytes(14) + b'\3' + bytes(16)) * 3)
    write(folder, 'addresses-many', b'\1\x1f' + b'\0\xc0\0\2\1' * 80)
    for number, text in enumerate(['192.0.2.1', '[2001:db8::1]:53', '::1,127.0.0.1:5353', 'a.example', '1.2.3.4.',
                                   '::ffff:192.0.2.1', '[::1', 'a..b', '_x._y.a', '127.1', ',']):
        write(folder, f'text-{number}', b'\2\0' + text.encode())


def make_cert(program, folder):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, '--certs', folder], check=True)
    for path in sorted(folder.iterdir()):
        if path.stat().st_size > LARGEST:
            path.unlink()
            continue
        data = path.read_bytes()
        for name in range(1, 5):
            if path.name.endswith('-names'):
                write(folder, f'{path.name}-{name}', data[:4] + bytes([data[4] + name]) + data[5:])
    good = (folder / 'good').read_bytes()[5:]
    for bit in range(1, 23, 3):
        write(folder, f'status-{bit}', struct.pack('>I', 7 << bit) + b'\0' + good)
    for number, text in enumerate([b'a.example', b'a\0b', b'\xff\xfe', 'b\u202ec\u0085'.encode(), b'x\nSHA-256: 0',
                                   b'']):
        write(folder, f'subject-{number}', bytes([0, 0, 0, 0, 16]) + text)


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    make_stream(program, folder / 'stream')
    make_parse(folder / 'stream', folder / 'parse')
    make_jid(folder / 'jid')
    make_write(folder / 'write')
    make_pipe(folder / 'stream', folder / 'pipe')
    make_sasl(folder / 'sasl')
    make_dns(folder / 'dns')
    make_cert(program, folder / 'cert')


if __name__ == '__main__':
    main()
