"""How libxmpp alone grows: with the size of a stanza, with what is registered, and with its neighbours on the loop."""
import json
import subprocess


def run(bench, name, *arguments):
    """The JSON of one program; None, and a line in problems, when it failed."""
    try:
        done = subprocess.run([bench.programs / f'bench-{name}', *arguments], capture_output=True, text=True, timeout=150,
                              check=False, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            return json.loads(done.stdout)
        what = f'exit code {done.returncode}: {done.stderr.strip()[-200:]}'
    except subprocess.TimeoutExpired:
        what = 'not done within 150 s'
    except json.JSONDecodeError:
        what = 'output is no JSON'
    bench.problems.append(f'{name}: {what}')
    return None


def measure(bench, size):
    return {'linear': run(bench, 'linear', str(size['giant'])), 'growth': run(bench, 'growth'),
            'fair': run(bench, 'fair', str(size['fair_seconds']))}


def growth_of(shape):
    """Of the cost of a byte from n to 8n: 1 is linear, 8 is quadratic."""
    each = [us / size for us, size in zip(shape['cpu_us'], shape['bytes'])]
    return each[-1] / each[0]


def linear_table(shapes, grid, number):
    rows = [[one['shape'], number(one['bytes'][-1] / 1024, 0)] +
            [number(us / size * 1000, 2) for us, size in zip(one['cpu_us'], one['bytes'])] +
            [number(one['worst'], 2), number(growth_of(one), 2)] for one in shapes]
    return ('One giant stanza of n, 2n, 4n and 8n bytes, in pieces of 1460: ns CPU for each byte; linear is 2 for twice the '
            'bytes, and 1 for a byte of 8n against one of n\n' +
            grid(['', '8n, KiB', 'n', '2n', '4n', '8n', 'twice the bytes, worst', '8n / n'], rows))


def growth_table(parts, grid, number):
    rows = [[one['what'], ' / '.join(number(count, 0) for count in one['counts'])] +
            [number(us, 2) for us in one['cpu_us']] + [number(one['cpu_us'][-1] / one['cpu_us'][0], 2)] for one in parts]
    return 'Growth: CPU us for one, beside so many\n' + grid(['', 'how many', 'first', '', '', 'last', 'last / first'], rows)


def fair_table(modes, grid, number):
    rows = [[f'{mode}: {what}', number(one['flood'], 0)] +
            [number(one[what][name], 0) for name in ('count', 'median_us', 'p99_us', 'worst_us')]
            for mode, one in modes.items() for what in ('stanzas', 'stanzas, CPU', 'timers')]
    return ('999 clients on one loop with one that is flooded: how late they are, microseconds\n' +
            grid(['', 'stanzas of the flooded one', 'measured', 'median', '99 %', 'worst'], rows))


def tables(results, grid, number):
    for name, table in (('linear', linear_table), ('growth', growth_table), ('fair', fair_table)):
        if results.get(name):
            yield table(results[name], grid, number)
