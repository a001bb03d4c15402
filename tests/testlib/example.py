#!/usr/bin/env python3
"""Writes the example of a public header, the text between @code and @endcode, as a program.

usage: example.py HEADER TARGET
"""

import pathlib
import re
import sys

text = pathlib.Path(sys.argv[1]).read_text(encoding='utf-8')
body = re.search(r'@code\n(.*?)\n \* @endcode', text, flags=re.S).group(1)
lines = [re.sub(r'^ \* ?', '', line) for line in body.splitlines()]
pathlib.Path(sys.argv[2]).write_text('\n'.join(lines) + '\n', encoding='utf-8')
