#!/usr/bin/env python3
"""Every public header compiles alone, as C99 and as C++11.

usage: check-headers.py SOURCE-ROOT CC CXX

CC and CXX may contain arguments. An adapter is checked when the library that it adapts is installed.
"""

import pathlib
import shlex
import subprocess
import sys

WARNINGS = ['-pedantic', '-Wall', '-Wextra', '-Wundef', '-Wshadow', '-Werror']
LANGUAGES = [('c', ['-std=c99', '-Wstrict-prototypes']), ('c++', ['-std=c++11'])]
ADAPTED = {'glib': 'glib-2.0', 'libevent': 'libevent', 'uv': 'libuv'}


def package_flags(package):
    """None when it is not installed. As system headers, whose warnings are not ours."""
    try:
        out = subprocess.run(['pkg-config', '--cflags', package], capture_output=True, text=True,
                             check=False)
    except FileNotFoundError:
        return None
    if out.returncode != 0:
        return None
    # libuv's own header wants POSIX
    return ['-D_POSIX_C_SOURCE=200809L'] + [flag.replace('-I', '-isystem', 1)
                                            for flag in shlex.split(out.stdout)]


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    include = root / 'include'
    compilers = {'c': shlex.split(sys.argv[2]), 'c++': shlex.split(sys.argv[3])}
    failed = 0
    count = 0
    for path in sorted(include.rglob('*.h')):
        name = path.relative_to(include).as_posix()
        flags = []
        if path.parent.name == 'adapter':
            flags = package_flags(ADAPTED.get(path.stem, path.stem))
            if flags is None:
                print(f'{name}: not checked, {ADAPTED.get(path.stem, path.stem)} is not installed')
                continue
        for language, options in LANGUAGES:
            command = (compilers[language] + options + WARNINGS + ['-I', str(include)] + flags +
                       ['-fsyntax-only', '-x', language, '-'])
            # twice: the guard works
            source = f'#include <{name}>\n#include <{name}>\n'
            if subprocess.run(command, input=source, text=True, check=False).returncode:
                print(f'{name}: does not compile alone as {options[0][5:]}')
                failed += 1
        count += 1
    if count == 0:
        print('no headers found')
        failed += 1
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
