#!/usr/bin/env python3
"""Writes lib/libxmpp.map and testlib/libxmpp-test.map from the public headers.

usage: make-map.py [SOURCE-ROOT]

The node of the version in meson.build lists every function that no older node has. Older nodes stay as they are:
programs were linked with them.
"""

import pathlib
import sys

import headers


def make(root, library):
    version = '.'.join(headers.project_version(root).split('.')[:2])
    node = f'{library.upper().replace("-", "_")}_{version}'
    path = root / headers.MAPS[library]
    nodes = [n for n in headers.read_map(path) if n[0] != node] if path.exists() else []
    old = {symbol for _, symbols in nodes for symbol in symbols}
    nodes.append((node, sorted({f.name for f in headers.all_functions(root, library)} - old)))

    lines = ['/* Written by tests/abi/make-map.py from the public headers. */']
    parent = ''
    for name, symbols in nodes:
        lines += [f'{name} {{', 'global:']
        lines += [f'    {symbol};' for symbol in symbols]
        if not parent:
            lines += ['local:', '    *;']
        lines += [f'}}{parent};', '']
        parent = ' ' + name
    return path, '\n'.join(lines[:-1]) + '\n'


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    if len(sys.argv) <= 1:
        root = root.parents[2]
    for library in headers.MAPS:
        path, text = make(root, library)
        path.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
