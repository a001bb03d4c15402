#!/usr/bin/env python3
"""Everything is formatted as clang-format does it with the project's settings.

usage: check-format.py SOURCE-ROOT

Exit status 77 (skipped) without clang-format.
"""

import pathlib
import shutil
import subprocess
import sys


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    # other versions format otherwise
    program = shutil.which('clang-format-14') or shutil.which('clang-format')
    if not program:
        print('clang-format is missing')
        return 77
    files = [str(path.relative_to(root)) for folder in ('lib', 'testlib', 'include', 'examples', 'tests')
             for path in sorted((root / folder).rglob('*.[ch]'))]
    if not files:
        print('no files found')
        return 1
    return 1 if subprocess.run([program, '--dry-run', '-Werror'] + files, cwd=root,
                               check=False).returncode else 0


if __name__ == '__main__':
    sys.exit(main())
