"""Reads the public headers: what is declared with XMPP_API, and its documentation."""

import pathlib
import re


class Function:
    def __init__(self, path, line, result, name, params, doc):
        self.path = path
        self.line = line
        self.result = result
        self.name = name
        self.params = params
        self.doc = doc

    def __str__(self):
        return f'{self.path}:{self.line}: {self.name}()'


def blank(match):
    """As many lines as before, so that line numbers stay right."""
    return re.sub(r'[^\n]', ' ', match.group(0))


def public_headers(root, adapter=False):
    for path in sorted((pathlib.Path(root) / 'include' / 'xmpp').rglob('*.h')):
        if adapter or 'adapter' not in path.parts:
            yield path


def strip_preprocessor(text):
    return re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', blank, text, flags=re.M)


def strip_comments(text):
    return re.sub(r'/\*.*?\*/', blank, text, flags=re.S)


def split_params(text):
    params = []
    depth = 0
    current = ''
    for char in text:
        depth += (char == '(') - (char == ')')
        if char == ',' and depth == 0:
            params.append(current)
            current = ''
        else:
            current += char
    params.append(current)
    params = [' '.join(p.split()) for p in params]
    return [] if params == ['void'] else params


def param_name(param):
    match = re.search(r'\(\s*\*\s*(\w+)\s*\)', param) or re.search(r'(\w+)\s*(?:\[[^]]*\])?$', param)
    return match.group(1) if match else param


def parse(path):
    text = strip_preprocessor(path.read_text(encoding='utf-8'))
    code = strip_comments(text)
    functions = []
    for match in re.finditer(r'\bXMPP_API\b([^;{]*?)\b(\w+)\s*\((.*?)\)\s*;', code, flags=re.S):
        before = text[:match.start()].rstrip()
        doc = ''
        if before.endswith('*/'):
            doc = before[before.rindex('/*'):]
        functions.append(Function(path, code.count('\n', 0, match.start()) + 1,
                                  ' '.join(match.group(1).split()), match.group(2),
                                  [param_name(p) for p in split_params(match.group(3))],
                                  doc if doc.startswith('/**') else ''))
    return functions


# headers of libraries other than libxmpp, below include/xmpp
OTHERS = {'test.h': 'libxmpp-test'}
MAPS = {'libxmpp': 'lib/libxmpp.map', 'libxmpp-test': 'testlib/libxmpp-test.map'}


def all_functions(root, library=None):
    """Of one library, or of all."""
    return [f for path in public_headers(root)
            if library in (None, OTHERS.get(path.name, 'libxmpp')) for f in parse(path)]


def project_version(root):
    text = (pathlib.Path(root) / 'meson.build').read_text(encoding='utf-8')
    return re.search(r"version:\s*'([0-9.]+)'", text).group(1)


def read_map(path):
    """The nodes of a version script in their order: [(name, [symbols])]."""
    text = strip_comments(path.read_text(encoding='utf-8'))
    nodes = []
    for match in re.finditer(r'(\S+)\s*\{(.*?)\}[^;]*;', text, flags=re.S):
        part = match.group(2).split('local:')[0].replace('global:', '')
        nodes.append((match.group(1), [s.strip() for s in part.split(';') if s.strip()]))
    return nodes
