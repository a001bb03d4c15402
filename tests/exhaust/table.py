#!/usr/bin/env python3
"""Writes the table of exhaustion tests into doc/testing.md, as the programs of those tests print it.

usage: table.py [--check] TESTING.MD PROGRAM...

--check writes nothing; it fails when the table is not what would be written.
"""

import pathlib
import re
import subprocess
import sys

HEAD = '''| case | the server | meets | own memory | with libraries | ends with |
|---|---|---|---|---|---|
'''


def main():
    args = sys.argv[1:]
    check = args[:1] == ['--check']
    path = pathlib.Path(args[check])
    text = path.read_text(encoding='utf-8')
    rows = ''.join(subprocess.run([program, '--table'], check=True, stdout=subprocess.PIPE, encoding='utf-8').stdout
                   for program in args[check + 1:])
    start = text.find(HEAD)
    if start < 0 or not rows:
        print(f'{path}: no place for the table, or no rows')
        return 1
    wanted = text[:start] + HEAD + rows + re.sub(r'\A(\|.*\n)*', '', text[start:])
    if check and text != wanted:
        print(f'{path}: the table of exhaustion tests is out of date: run tests/exhaust/table.py')
        return 1
    if not check:
        path.write_text(wanted, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
