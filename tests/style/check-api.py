#!/usr/bin/env python3
"""Headers, version script, exported symbols and documentation name the same set of functions.

usage: check-api.py SOURCE-ROOT [LIBXMPP LIBXMPP-TEST [NM]]

Without the libraries the exported symbols are not looked at.
"""

import itertools
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'abi'))

import headers  # noqa: E402


def exported(nm, library):
    out = subprocess.run([nm, '-D', '--defined-only', library], check=True, capture_output=True,
                         text=True).stdout
    symbols = set()
    for line in out.splitlines():
        kind, name = line.split()[-2:]
        if kind != 'A':  # the name of a version node
            symbols.add(name.split('@')[0])
    return symbols


def compare(what_a, a, what_b, b):
    return ([f'{name}: in {what_a}, not in {what_b}' for name in sorted(a - b)] +
            [f'{name}: in {what_b}, not in {what_a}' for name in sorted(b - a)])


def check_map(root, name, declared):
    complaints = []
    listed = []
    for node, symbols in headers.read_map(root / name):
        complaints += [f'{name}: {node}: wildcard {s}' for s in symbols if '*' in s]
        listed += symbols
    complaints += [f'{name}: {s} is listed twice'
                   for s in sorted({s for s in listed if listed.count(s) > 1})]
    return complaints + compare(name, set(listed), 'the headers', declared)


def check_foreign(root, declared):
    text = (root / 'tests' / 'abi' / 'foreign-symbols.txt').read_text(encoding='utf-8')
    foreign = {line.strip() for line in text.splitlines() if line.strip() and line[0] != '#'}
    return [f'{name}: another library exports this name' for name in sorted(declared & foreign)]


def check_doc(function):
    if not function.doc:
        return [f'{function}: no documentation comment']
    complaints = []
    # "@param a, b" documents both
    documented = []
    for names in re.findall(r'@param(?:\[[^]]*\])?\s+(\w+(?:\s*,\s*\w+)*)', function.doc):
        documented += [name.strip() for name in names.split(',')]
    for name in function.params:
        if name not in documented:
            complaints.append(f'{function}: no @param {name}')
    for name in documented:
        if name not in function.params:
            complaints.append(f'{function}: @param {name} is not a parameter')
    if function.result != 'void' and not re.search(r'@(return|retval)\b', function.doc):
        complaints.append(f'{function}: no @return or @retval')
    if not re.search(r'@since\s+\d+\.\d+', function.doc):
        complaints.append(f'{function}: no @since')
    return complaints


def check_header(path):
    """Opaque types only, nothing is compiled into the caller, enumerators keep their values."""
    complaints = []
    code = headers.strip_comments(headers.strip_preprocessor(path.read_text(encoding='utf-8')))
    for match in re.finditer(r'\b(?:struct|union)\b\s*\w*\s*\{', code):
        line = code.count('\n', 0, match.start()) + 1
        complaints.append(f'{path}:{line}: definition of a structure')
    for match in re.finditer(r'\binline\b', code):
        line = code.count('\n', 0, match.start()) + 1
        complaints.append(f'{path}:{line}: inline function')
    for match in re.finditer(r'\benum\b\s*\w*\s*\{(.*?)\}', code, flags=re.S):
        line = code.count('\n', 0, match.start()) + 1
        complaints += [f'{path}:{line}: {entry.strip()} has no explicit value'
                       for entry in match.group(1).split(',') if entry.strip() and '=' not in entry]
    # whatever looks like a public function but does not parse as one would escape all checks
    found = len(headers.parse(path))
    marked = len(re.findall(r'\bXMPP_API\b', code))
    if found != marked:
        complaints.append(f'{path}: {marked} times XMPP_API, but {found} functions')
    return complaints


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    functions = headers.all_functions(root)
    declared = {f.name for f in functions}
    complaints = []
    for path in headers.public_headers(root):
        complaints += check_header(path)
    for function in functions:
        complaints += check_doc(function)
    complaints += check_foreign(root, declared)
    nm = sys.argv[4] if len(sys.argv) > 4 else 'nm'
    for library, built in itertools.zip_longest(headers.MAPS, sys.argv[2:4]):
        own = {f.name for f in headers.all_functions(root, library)}
        complaints += check_map(root, headers.MAPS[library], own)
        if built:
            complaints += compare(library, exported(nm, built), 'the headers', own)
    if not functions:
        complaints.append('no public functions found')
    for complaint in complaints:
        print(complaint.replace(f'{root}/', ''))
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
