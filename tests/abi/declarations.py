#!/usr/bin/env python3
"""declarations.py SOURCE-ROOT: every declaration of the public headers, one in a line.

The description by abidw knows neither the enumerators (functions take int) nor one opaque type from another.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True

import headers  # noqa: E402


def declarations(path):
    code = headers.strip_comments(headers.strip_preprocessor(path.read_text(encoding='utf-8')))
    code = ' '.join(re.sub(r'\bXMPP_(API|BEGIN_DECLS|END_DECLS)\b', ' ', code).split())
    for declaration in code.split(';'):
        enum = re.search(r'(enum\b.*)\{(.*)\}', declaration)
        if enum:
            yield from (f'{enum.group(1).strip()}: {entry.strip()}'
                        for entry in enum.group(2).split(',') if entry.strip())
        elif declaration.strip():
            yield declaration.strip()


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    print('\n'.join(sorted(line for path in headers.public_headers(root) for line in declarations(path))))


if __name__ == '__main__':
    main()
