#!/usr/bin/env python3
"""Writes doc/conformance.md: every rule, what the library does about it, and the tests that show it.

usage: conformance.py [--check] SOURCE-ROOT

The rules are those of doc/conformance.in. Tests name them in comments, by full ids:

    SASL-17                   one rule
    SASL-17, SASL-19, CORE-05 several
    DNS-01..DNS-03            a range; also DNS-01..03
    STZ-07, 12                more of the same kind; two digits each

In C, an id inside a function belongs to that function, one above it to the next. If that is no test_...(), it belongs to
every test of the same file that uses it, directly or not. Dialogues and scripts are tests as a whole.

--check writes nothing. It fails when the table is not what would be written, when a rule has neither a test nor a reason
for having none (or both), or when a comment in tests/ or lib/, or a patch in tests/mutate, names a rule that does not exist.
"""

import difflib
import pathlib
import re
import sys

# what tests are made with is no test
NO_TESTS = ('tests/support/', 'tests/style/', 'tests/abi/', 'tests/mutate/')

TOKEN = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', flags=re.S)


def expand(text, prefixes, known):
    """All ids in a comment; ranges are cut to what exists, but their ends must."""
    pattern = re.compile(rf'\b({"|".join(sorted(prefixes))})-(\d\d)\b(?:\.\.(?:\1-)?(\d\d)\b)?'
                         r'((?:, \d\d(?![\w.:-]*\d)(?=\W|$))*)')
    for match in pattern.finditer(re.sub(r'[\s*]+', ' ', text)):
        prefix, first, last, more = match.groups()
        yield f'{prefix}-{first}'
        if last:
            yield f'{prefix}-{last}'
            for number in range(int(first) + 1, int(last)):
                if f'{prefix}-{number:02}' in known:
                    yield f'{prefix}-{number:02}'
        for number in re.findall(r'\d\d', more):
            yield f'{prefix}-{number}'


# --- doc/conformance.in ---

class Rule:
    def __init__(self, name, spec):
        self.name = name
        self.spec = spec
        self.text = ''
        self.none = None
        self.tests = {}  # file -> names of functions


def read_rules(path):
    """[(heading, [rule])]; the text before the first heading is the heading of nothing."""
    intro = []
    parts = []
    rule = None
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        head = re.fullmatch(r'([A-Z][A-Z0-9]*-\d\d(?:\.\.\d\d)?) \| (.+)', line)
        if line.startswith('## '):
            parts.append((line[3:], []))
            rule = None
        elif head:
            rule = Rule(*head.groups())
            parts[-1][1].append(rule)
        elif not line.strip():
            rule = None
        elif rule and line.startswith('  none: '):
            rule.none = line[len('  none: '):]
        elif rule and line.startswith('  '):
            if rule.none is None:
                rule.text = f'{rule.text} {line.strip()}'.strip()
            else:
                rule.none += ' ' + line.strip()
        elif not parts:
            intro.append(line)
        else:
            sys.exit(f'{path}:{number}: not a rule, a heading or a continued line')
        if not parts and not line.strip():
            intro.append('')
    return intro, parts


# --- comments of the tests ---

def chunks_of(code):
    """(first line, last line, name, text) of everything at file level, from code without comments."""
    lines = code.splitlines()
    for match in re.finditer(r'^#define (\w+)(?:.*\\\n)*.*$', code, flags=re.M):
        at = code.count('\n', 0, match.start())
        yield at, at + match.group(0).count('\n'), match.group(1), match.group(0)
    first = None
    for number, line in enumerate(lines):
        if first is None:
            if not line.strip() or line[0] in '#}' or \
                    (number > 0 and lines[number - 1].endswith('\\')):
                continue
            first = number
        is_end = line.startswith('}') or (line.rstrip().endswith(';') and
                                          not any(l == '{' or l.rstrip().endswith('{')
                                                  for l in lines[first:number + 1]))
        if is_end:
            text = '\n'.join(lines[first:number + 1])
            head = text.split('{')[0]
            match = re.search(r'(\w+)\s*(?:\[[^=]*)?=', head) or re.search(r'(\w+)\s*\(', head) or \
                re.search(r'(\w+)\s*(?:\[.*)?;?\s*$', head, flags=re.S)
            yield first, number, match.group(1) if match else '', text
            first = None


def tests_of(chunks, chunk):
    """The names of the test functions that run a chunk."""
    found = set()
    seen = {chunk}
    todo = [chunk]
    while todo:
        current = todo.pop()
        name = current[2]
        if name.startswith('test_'):
            found.add(name)
            continue
        for user in chunks:
            if name and user not in seen and re.search(rf'\b{name}\b', user[3]):
                seen.add(user)
                todo.append(user)
    return found


def read_c(path):
    """(line, comment, test functions or None); None: the file has no test functions at all."""
    text = path.read_text(encoding='utf-8')
    comments = []

    def blank(match):
        token = match.group(0)
        if token.startswith('/*'):
            comments.append((text.count('\n', 0, match.start()), token))
        return re.sub(r'[^\n]', ' ', token)

    code = TOKEN.sub(blank, text)
    chunks = sorted(chunks_of(code))
    has_tests = any(chunk[2].startswith('test_') for chunk in chunks)
    for line, comment in comments:
        owner = next((chunk for chunk in chunks if chunk[1] >= line), None)
        if has_tests:
            yield line + 1, comment, tests_of(chunks, owner) if owner else set()
        else:
            yield line + 1, comment, None


def read_lines(path, is_comment):
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
        if is_comment(line):
            yield number, line[line.index('#'):], None


def read_comments(path):
    if path.suffix == '.c':
        return read_c(path)
    if path.suffix == '.dlg':
        return read_lines(path, lambda line: line.startswith('#'))
    return read_lines(path, lambda line: '#' in line)


def collect_tests(root, rules, complaints):
    prefixes = {name.split('-')[0] for name in rules}
    for path in sorted((root / 'tests').rglob('*')):
        name = str(path.relative_to(root))
        if path.suffix not in ('.c', '.dlg', '.py') or name.startswith(NO_TESTS):
            continue
        for line, comment, functions in read_comments(path):
            for rule in expand(comment, prefixes, rules):
                if rule not in rules:
                    complaints.append(f'{name}:{line}: there is no rule {rule}')
                elif functions is not None and not functions:
                    complaints.append(f'{name}:{line}: {rule} is named outside of every test')
                else:
                    rules[rule].tests.setdefault(name, set()).update(functions or ())


def check_code(root, rules, complaints):
    prefixes = {name.split('-')[0] for name in rules}
    for path in sorted((root / 'lib').rglob('*.[ch]')):
        text = path.read_text(encoding='utf-8')
        for match in TOKEN.finditer(text):
            if not match.group(0).startswith('/*'):
                continue
            for rule in expand(match.group(0), prefixes, rules):
                if rule not in rules:
                    line = text.count('\n', 0, match.start()) + 1
                    complaints.append(f'{path.relative_to(root)}:{line}: there is no rule {rule}')


def check_patches(root, rules, complaints):
    prefixes = {name.split('-')[0] for name in rules}
    for path in sorted((root / 'tests/mutate').glob('*.patch')):
        first = path.read_text(encoding='utf-8').split('\n', 1)[0]
        named = list(expand(first, prefixes, rules))
        for rule in named:
            if rule not in rules:
                complaints.append(f'{path.relative_to(root)}: there is no rule {rule}')
        if not named:
            complaints.append(f'{path.relative_to(root)}: names no rule')


# --- doc/conformance.md ---

def show_tests(rule):
    if not rule.tests:
        return f'none: {rule.none}' if rule.none else 'none'
    dialogs = []
    shown = []
    for name, functions in sorted(rule.tests.items()):
        if name.endswith('.dlg'):
            dialogs.append(pathlib.Path(name).stem)
            continue
        short = name.removeprefix('tests/')
        shown.append(f'{short}: {", ".join(sorted(functions))}' if functions else short)
    if dialogs:
        shown.append(f'dialog: {", ".join(dialogs)}')
    return '<br>'.join(shown)


def compose(intro, parts):
    lines = ['<!-- Written by tests/style/conformance.py from doc/conformance.in and the comments of the tests. -->']
    lines += intro
    for heading, rules in parts:
        lines += [f'## {heading}', '', '| rule | specification | what the library does | tests |',
                  '|---|---|---|---|']
        for rule in rules:
            cells = [rule.name, rule.spec, rule.text, show_tests(rule)]
            lines.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |')
        lines.append('')
    while lines[-1] == '':
        lines.pop()
    return '\n'.join(lines) + '\n'


def main():
    args = sys.argv[1:]
    check = '--check' in args
    args = [arg for arg in args if arg != '--check']
    if len(args) != 1:
        sys.exit(__doc__)
    root = pathlib.Path(args[0]).resolve()
    target = root / 'doc/conformance.md'
    complaints = []
    intro, parts = read_rules(root / 'doc/conformance.in')
    rules = {}
    for _, part in parts:
        for rule in part:
            if rule.name in rules:
                complaints.append(f'doc/conformance.in: {rule.name} stands there twice')
            rules[rule.name] = rule
    collect_tests(root, rules, complaints)
    check_code(root, rules, complaints)
    check_patches(root, rules, complaints)
    for rule in rules.values():
        if not rule.text:
            complaints.append(f'doc/conformance.in: {rule.name} says nothing')
        if not rule.tests and not rule.none:
            complaints.append(f'{rule.name} has no test and no reason for that')
        if rule.tests and rule.none:
            complaints.append(f'{rule.name} has a test; its "none: " is out of date')
    text = compose(intro, parts)
    if check:
        old = target.read_text(encoding='utf-8') if target.exists() else ''
        if old != text:
            complaints.append('doc/conformance.md is out of date: run tests/style/conformance.py')
            complaints += list(difflib.unified_diff(old.splitlines(), text.splitlines(), 'is', 'ought to be',
                                                    n=0, lineterm=''))[:20]
    else:
        target.write_text(text, encoding='utf-8')
    print('\n'.join(complaints), end='\n' if complaints else '')
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main())
