"""Instructions for each stanza, counted by callgrind: of two runs of different length the difference."""
import collections
import re

# What a source file of libxmpp is for; the tools of lib/base count with "rest" unless named here.
PURPOSE = {'scan.c': 'check: limits and forbidden XML', 'chars.c': 'check: UTF-8 and characters',
           'utf8.c': 'check: UTF-8 and characters', 'parse.c': 'parse: tree', 'sax.c': 'parse: tree',
           'memo.c': 'parse: tree', 'elem.c': 'parse: tree', 'arena.c': 'parse: tree', 'name.c': 'names',
           'jid.c': 'addresses', 'domain.c': 'addresses', 'prep.c': 'addresses', 'dispatch.c': 'dispatch',
           'slot.c': 'dispatch', 'index.c': 'dispatch', 'map.c': 'maps (keyed hash)', 'build.c': 'build',
           'stanza.c': 'build', 'rand.c': 'build', 'write.c': 'write', 'buf.c': 'write'}


def load(path):
    """Self cost of each (object, file, function)."""
    names = {'ob': {}, 'fl': {}, 'fn': {}}
    here = {'ob': '?', 'fl': '?', 'fn': '?'}
    kinds = {'ob': 'ob', 'cob': 'ob', 'fl': 'fl', 'fi': 'fl', 'fe': 'fl', 'cfi': 'fl', 'cfl': 'fl', 'fn': 'fn',
             'cfn': 'fn'}
    cost = collections.Counter()
    of_call = False
    for line in open(path, encoding='utf-8', errors='replace'):
        if line[:1] in '0123456789+-*' and line[:1]:
            parts = line.split()
            if not of_call and len(parts) > 1:
                cost[here['ob'], here['fl'], here['fn']] += int(parts[1])
            of_call = False
            continue
        match = re.match(r'(\w+)=(?:\((\d+)\))?(?: ?(.*))?$', line.rstrip())
        if not match:
            continue
        key, number, name = match.groups()
        if key == 'calls':
            of_call = True
        if key not in kinds or number is None:
            continue
        table = names[kinds[key]]
        if name:
            table[number] = name
        if not key.startswith('c'):
            here[kinds[key]] = table.get(number, '?')
    return cost


def per_stanza(bench, client, mode, count, **options):
    costs = []
    for factor in (1, 2):
        path = bench.scratch / f'callgrind.{factor}'
        got = bench.run(client, mode, 'plain', count * factor, warm=200,
                        wrap=('valgrind', '-q', '--tool=callgrind', f'--callgrind-out-file={path}'), **options)
        if not got:
            return None
        costs.append(load(path))
    objects, purposes, functions = collections.Counter(), collections.Counter(), collections.Counter()
    for key in costs[1]:
        value = (costs[1][key] - costs[0][key]) / count
        obj = re.sub(r'\.so.*', '', key[0].rsplit('/', 1)[-1])
        objects[obj] += value
        functions[f'{obj} {key[2]}'] += value
        if obj == 'libxmpp':
            purposes[PURPOSE.get(key[1].rsplit('/', 1)[-1], 'rest')] += value
    return {'objects': {k: round(v) for k, v in objects.most_common() if v >= 1},
            'purposes': {k: round(v) for k, v in purposes.most_common() if v >= 1},
            'functions': {k: round(v) for k, v in functions.most_common(25)}}


def measure(bench, count):
    result = {}
    for name, client, mode, options in (
            ('libxmpp receive', 'libxmpp', 'receive', {'handlers': 1}),
            ('libxmpp receive, 100 handlers', 'libxmpp', 'receive', {'handlers': 100}),
            ('floor receive', 'floor', 'receive', {}),
            ('libxmpp send', 'libxmpp', 'send', {}),
            ('floor send', 'floor', 'send', {})):
        one = per_stanza(bench, client, mode, count, **options)
        if one:
            result[name] = one
    return result
