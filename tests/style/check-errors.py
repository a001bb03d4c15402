#!/usr/bin/env python3
"""doc/errors.md names every result code, phase, problem of a certificate and condition, and no function that is none.

usage: check-errors.py SOURCE-ROOT
"""

import pathlib
import re
import sys


def conditions(path, table):
    """The first strings of the rows of a table of C."""
    text = path.read_text(encoding='utf-8')
    rows = re.search(table + r'\[\] = \{(.*?)\n *\};', text, flags=re.S)
    return re.findall(r'\{"([a-z-]+)"', rows.group(1)) if rows else []


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    page = (root / 'doc/errors.md').read_text(encoding='utf-8')
    headers = ''.join(path.read_text(encoding='utf-8') for path in sorted((root / 'include').rglob('*.h')))
    problems = re.search(r'enum xmpp_cert_problem \{(.*?)\}', headers, flags=re.S)
    wanted = {
        'result code': re.findall(r'^    (XMPP_(?:OK|ERR_\w+)) = ', headers, flags=re.M),
        'phase': re.findall(r'^    (XMPP_PHASE_\w+) = ', headers, flags=re.M),
        'problem': re.findall(r'XMPP_CERT_\w+(?= =)', problems.group(1) if problems else ''),
        'condition of SASL': conditions(root / 'lib/stream/auth.c', 'conditions'),
        'condition of streams': conditions(root / 'lib/stream/serror.c', 'conditions'),
    }
    complaints = []
    for what, names in wanted.items():
        if not names:
            complaints.append(f'no {what} found in the sources')
        complaints += [f'doc/errors.md: {what} {name} is missing' for name in names
                       if not re.search(rf'(?<![\w-]){name}(?![\w-])', page)]
    complaints += [f'doc/errors.md: there is no function {name}()'
                   for name in sorted(set(re.findall(r'(xmpp_\w+)\(\)', page)))
                   if not re.search(rf'\b{name}\(', headers)]
    print('\n'.join(complaints), end='\n' if complaints else '')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
