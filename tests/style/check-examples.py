#!/usr/bin/env python3
"""The complete programs in the comments of the public headers compile.

usage: check-examples.py SOURCE-ROOT CC

A complete program stands between @code and @endcode and has a main(). Adapters are left out: they need other libraries.
"""

import pathlib
import re
import shlex
import subprocess
import sys

FLAGS = ['-std=c99', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-x', 'c', '-']


def main():
    include = pathlib.Path(sys.argv[1]).resolve() / 'include'
    compiler = shlex.split(sys.argv[2])
    failed = 0
    count = 0
    for path in sorted(include.rglob('*.h')):
        text = path.read_text(encoding='utf-8')
        for block in re.findall(r'@code\n(.*?)@endcode', text, flags=re.S):
            source = re.sub(r'^ \* ?', '', block, flags=re.M)
            if 'int main(' not in source or path.parent.name == 'adapter':
                continue
            count += 1
            if subprocess.run(compiler + ['-I', str(include)] + FLAGS, input=source, text=True,
                              check=False).returncode:
                print(f'{path.relative_to(include)}: the example does not compile')
                failed += 1
    if count == 0:
        print('no examples found')
        failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
