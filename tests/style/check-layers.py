#!/usr/bin/env python3
"""A layer includes only the layers below it, and only the libraries that it is made for.

usage: check-layers.py SOURCE-ROOT
"""

import pathlib
import re
import sys

LAYERS = {
    'base': [],
    'jid': ['base'],
    'xml': ['base', 'jid'],
    'sasl': ['base', 'jid'],
    'stream': ['base', 'jid', 'xml', 'sasl'],
    'codec': ['base'],
    'net': ['base'],
    'client': ['base', 'jid', 'xml', 'sasl', 'stream', 'codec', 'net'],
    'ext': ['base'],
}

UNISTRING = r'uni(str|norm|case|ctype|conv|types|width)\.h'
LIBRARIES = {
    'jid': [r'idn2\.h', UNISTRING],
    'xml': [r'libxml/\w+\.h'],
    'sasl': [r'sasl/\w+\.h', r'gnutls/(gnutls|crypto)\.h', UNISTRING],
    'codec': [r'gnutls/[\w-]+\.h'],
    # the only layer with descriptors and clocks
    'net': [r'ares(_\w+)?\.h', r'sys/(epoll|eventfd|ioctl|socket|timerfd|un)\.h', r'net/if\.h',
            r'netinet/\w+\.h', r'fcntl\.h', r'poll\.h', r'(sys/)?time\.h', r'unistd\.h'],
}

# nothing in these depends on descriptors, clocks or the environment, as far as the layers may call them
# (netinet/in.h: the types of inet_pton())
LIBC = [r'assert\.h', r'errno\.h', r'inttypes\.h', r'limits\.h', r'pthread\.h', r'std\w+\.h',
        r'string\.h', r'arpa/inet\.h', r'netinet/in\.h',
        r'sys/(random|types)\.h', r'sanitizer/asan_interface\.h']

# one file's exception, with its reason
EXCEPTIONS = {
    # pages that the kernel clears in the child of a fork()
    'lib/base/rand.c': [r'sys/mman\.h'],
    # reads PEM files, and looks whether they have changed
    'lib/codec/creds.c': [r'fcntl\.h', r'sys/stat\.h', r'unistd\.h'],
    # the dates of certificates; GnuTLS compares them with the clock, too
    'lib/codec/describe.c': [r'time\.h'],
    'lib/codec/verify.c': [r'time\.h'],
    # instructions of the processor, not functions
    'lib/xml/marks.h': [r'emmintrin\.h'],
}


def allowed(name, patterns):
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def check_file(root, path):
    layer = path.relative_to(root / 'lib').parts[0]
    text = re.sub(r'/\*.*?\*/', lambda m: re.sub(r'[^\n]', ' ', m.group(0)),
                  path.read_text(encoding='utf-8'), flags=re.S)
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(.*)', line)
        if not match:
            continue
        name = match.group(1).strip()
        where = f'{path.relative_to(root)}:{number}'
        if name.startswith('"'):
            name = name.strip('"')
            target = name.split('/')[0]
            if '/' not in name or target not in LAYERS:
                yield f'{where}: "{name}" does not start with a layer'
            elif target != layer and target not in LAYERS[layer]:
                yield f'{where}: {layer} must not include {target}'
        elif name.startswith('<'):
            name = name.strip('<>')
            if name.startswith('xmpp/'):
                if name.startswith('xmpp/adapter/') or name == 'xmpp/xmpp.h':
                    yield f'{where}: <{name}> is for applications'
                elif name.startswith('xmpp/ext/') and layer != 'ext':
                    yield f'{where}: {layer} must not know extensions'
            elif not allowed(name, LIBC + LIBRARIES.get(layer, []) +
                             EXCEPTIONS.get(f'{path.relative_to(root)}', [])):
                yield f'{where}: {layer} must not use <{name}>'
        else:
            yield f'{where}: unreadable include'


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    files = sorted((root / 'lib').rglob('*.[ch]'))
    complaints = []
    for path in files:
        layer = path.relative_to(root / 'lib').parts[0]
        if layer not in LAYERS:
            complaints.append(f'{path.relative_to(root)}: in no layer')
        else:
            complaints += check_file(root, path)
    if not files:
        complaints.append('no files found')
    print('\n'.join(complaints), end='\n' if complaints else '')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
