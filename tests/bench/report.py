"""The table for people, the comparison with the targets, and the picture."""
import shutil
import subprocess

import scale

KIB = 1024


def get(table, *path, default=None):
    for key in path:
        if not isinstance(table, dict) or table.get(key) is None:
            return default
        table = table[key]
    return table


def ratio(a, b):
    return a / b if a is not None and b else None


def targets(results):
    """(what, value, target, met) for each target; value None: not measured."""
    cpu = results['cpu_us']

    def median(client, mode, tls='starttls'):
        return get(cpu, (client, mode, tls), 'median')

    def instr(name):
        return get(results, 'instructions', name, 'objects', default={})

    mine, floor = instr('libxmpp receive, 100 handlers'), instr('floor receive')
    beyond = sum(mine.values()) - sum(floor.values()) if mine and floor else None
    sent = get(results, 'counts', ('libxmpp', 'send', 'starttls'), default={})
    single = get(results, 'counts', ('libxmpp', 'single', 'starttls'))
    received = get(results, 'counts', ('libxmpp', 'receive', 'starttls'))
    floor_received = get(results, 'counts', ('floor', 'receive', 'starttls'))
    flooded = get(results, 'scale', 'fair', 'flooded', default={})
    growth = get(results, 'scale', 'growth') or []
    linear = [scale.growth_of(one) for one in get(results, 'scale', 'linear') or []]
    per_write = ratio(sent.get('bytes'), sent.get('records'))
    kept = get(results, 'login', ('libxmpp, kept keys', 'direct'), 'cpu_ms', 'median')
    alone = get(results, 'login', ('libxmpp, kept keys, nobody else connected', 'direct'), 'cpu_ms', 'median')
    crowd = results.get('crowd')
    rows = [('receive, TLS: CPU against the floor', ratio(median('libxmpp', 'receive'), median('floor', 'receive')),
             '<=', 1.3, ' x')]
    for peer, factor in (('libstrophe', 4), ('loudmouth', 4), ('gloox', 9)):
        rows.append((f'receive, TLS: {peer} needs more CPU', ratio(median(peer, 'receive'), median('libxmpp', 'receive')),
                     '>=', factor, ' x'))
    rows += [
        ('own allocator calls, received stanza', get(results, 'counts', ('libxmpp', 'receive', 'plain'), 'own_allocs'),
         '<=', 0.005, ''),
        ('own allocator calls, sent stanza', sent.get('own_allocs'), '<=', 0.005, ''),
        ('instructions beyond the floor, received stanza, 100 handlers', beyond, '<=', 5000, ''),
        ('send, TLS, 170 bytes: libstrophe needs more CPU', ratio(median('libstrophe', 'send'), median('libxmpp', 'send')),
         '>=', 8, ' x'),
        ('send: bytes in a TLS record, 64 messages a turn', per_write, '>=', 0.95 * 64 * (sent.get('bytes') or 0), ''),
        ('send: calls that write, a turn of 64 messages', sent['writes'] * 64 if sent else None, '<=', 1.05, ''),
        ('send, TLS, 1 in a turn: libstrophe needs more CPU', ratio(median('libstrophe', 'single'), median('libxmpp', 'single')),
         '>=', 1, ' x'),
        ('send, 1 in a turn: system calls', sum(single[name] for name in ('reads', 'writes', 'waits', 'others'))
         if single else None, '<=', 3, ''),
        ('receive: waits against the floor', ratio(received['waits'], floor_received['waits'])
         if received and floor_received else None, '<=', 1.05, ' x'),
        ('1 flooded of 1000 clients: CPU before the stanza of another, worst', get(flooded, 'stanzas, CPU', 'worst_us'), '<=',
         10000, ' us'),
        ('1 flooded of 1000 clients: the others are late, 99 %', get(flooded, 'stanzas', 'p99_us'), '<=', 10000, ' us'),
        ('1 flooded of 1000 clients: timers are late, 99 %', get(flooded, 'timers', 'p99_us'), '<=', 10000, ' us'),
        ('1000 times the handlers, timers; 10 000 pending requests', max((one['cpu_us'][-1] / one['cpu_us'][0]
                                                                        for one in growth), default=None), '<=', 3, ' x'),
        ('giant stanza, 8 times the bytes: CPU of one byte, worst shape', max(linear, default=None), '<=', 2.5, ' x'),
        ('idle connection, TLS, PSS', get(results, 'idle', ('libxmpp', 'tls'), 'pss_kib'), '<=', 32, ' KiB'),
        ('idle connection, plain, PSS', get(results, 'idle', ('libxmpp', 'plain'), 'pss_kib'), '<=', 20, ' KiB'),
        ('flood, slow handler: above idle', get(results, 'slow_kib', 'libxmpp'), '<=', KIB, ' KiB'),
        ('following login, kept keys (no PBKDF2): CPU', kept, '<=', 5, ' ms'),
        ('the same when nobody else is connected: CPU', alone, '<=', 5, ' ms'),
        ('round trips, STARTTLS', get(results, 'login', ('libxmpp', 'starttls'), 'round_trips'), '<=', 9, ''),
        ('round trips, direct TLS', get(results, 'login', ('libxmpp', 'direct'), 'round_trips'), '<=', 7, ''),
        # a short run tries fewer, which says nothing
        ('clients in one process', crowd['connections'] if crowd and crowd['connections'] >= 10000 else None, '>=', 10000,
         '')]
    return [{'what': what, 'value': value, 'relation': relation, 'target': target, 'unit': unit,
             'met': None if value is None else value <= target if relation == '<=' else value >= target}
            for what, value, relation, target, unit in rows]


def number(value, digits=None):
    if value is None:
        return '-'
    if digits is None:
        digits = 0 if abs(value) >= 100 else 2
    return f'{value:,.{digits}f}'.replace(',', ' ')


def with_spread(one, digits=None):
    if not one:
        return '-'
    return f'{number(one["median"], digits)} ({number(one["min"], digits)}-{number(one["max"], digits)})'


def grid(head, rows):
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ['  '.join(cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(row)).rstrip()
             for row in rows]
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def names(table, length):
    seen = []
    for key in table:
        if key[0] not in seen and len(key) == length:
            seen.append(key[0])
    return seen


def throughput_tables(results):
    cpu, rate = results['cpu_us'], results['rate']
    clients = names(cpu, 3)
    for mode, what in (('receive', 'Receive: stanzas of about 600 bytes'),
                       ('send', 'Send: messages of about 170 bytes, 64 in a turn of the loop'),
                       ('single', 'Send: the same, 1 in a turn of the loop')):
        rows = []
        for client in clients:
            row = [client]
            for tls in ('plain', 'starttls'):
                row.append(with_spread(cpu.get((client, mode, tls)), 2))
                row.append(number(get(rate, (client, mode, tls), 'median'), 0))
            row.append(number(ratio(get(cpu, (client, mode, 'starttls'), 'median'),
                                    get(cpu, ('libxmpp', mode, 'starttls'), 'median')), 2))
            if mode == 'receive':
                row.append(number(get(results, 'peak_kib', (client, mode, 'starttls'), 'median'), 0))
                row.append(number(get(results, 'slow_kib', client), 0))
            rows.append(row)
        head = ['', 'CPU us, plain', 'a second', 'CPU us, TLS', 'a second', 'x libxmpp']
        if mode == 'receive':
            head += ['memory KiB', 'slow handler KiB']
        yield f'{what} (median and range)\n{grid(head, rows)}'


def counts_table(results):
    table = results['counts']
    rows = []
    for mode in ('receive', 'send', 'single'):
        for client in names(table, 3):
            for tls in ('plain', 'starttls'):
                one = table.get((client, mode, tls))
                if one:
                    rows.append([f'{client} {mode} {"TLS" if tls == "starttls" else tls}', number(one['allocs'], 2),
                                 number(one['own_allocs'], 3) if client == 'libxmpp' else '-']
                                + [number(one[name], 3) for name in ('reads', 'writes', 'waits', 'others')]
                                + [number(one.get('records') if tls == 'starttls' else None, 3)])
    head = ['for each stanza', 'malloc', 'own', 'reads', 'writes', 'waits', 'other calls', 'TLS records']
    return 'Calls for each stanza (in the steady state; loudmouth: of the whole run)\n' + grid(head, rows)


def idle_table(results):
    rows = []
    for client in names(results['idle'], 2):
        row = [client]
        for tls in ('plain', 'tls'):
            one = get(results, 'idle', (client, tls), default={})
            row += [number(one.get('pss_kib'), 1), number(one.get('rss_kib'), 1)]
            if tls == 'tls':
                row += [number(one.get('first_kib'), 0), number(one.get('connections'), 0)]
        own = [get(results, 'idle', (client, tls), 'own_bytes') for tls in ('plain', 'tls')]
        row.append(' / '.join(number(x / KIB, 1) for x in own) if client == 'libxmpp' and None not in own else '-')
        rows.append(row)
    text = 'Memory of one more idle connection, KiB\n' + grid(
        ['', 'PSS, plain', 'RSS, plain', 'PSS, TLS', 'RSS, TLS', 'the first, TLS', 'connections', 'own, plain / TLS'], rows)
    crowd = results.get('crowd')
    if crowd:
        text += (f'\n{crowd["connections"]} libxmpp clients in one process, direct TLS: {number(crowd["total_kib"] / KIB, 0)} '
                 f'MiB, {number(crowd["pss_kib"], 1)} KiB each, {number(crowd["cpu_us"] / crowd["connections"] / 1000, 2)} '
                 'ms CPU for each login')
    return text


def login_table(results):
    rows = []
    for (name, tls), one in results['login'].items():
        rows.append([f'{name}, {"STARTTLS" if tls == "starttls" else "direct TLS"}', with_spread(one['cpu_first_ms'], 1),
                     with_spread(one['cpu_ms'], 2), number(get(one, 'wall_first_ms', 'median'), 1),
                     number(get(one, 'wall_ms', 'median'), 1), number(one['round_trips'], 0),
                     number(one['own_round_trips'], 0)])
    return 'Login (milliseconds)\n' + grid(['', 'CPU, first', 'CPU, following', 'wall, first', 'wall, following',
                                            'round trips', 'says itself'], rows)


def latency_table(results):
    rows = []
    for (client, tls), one in results['latency'].items():
        rows.append([f'{client}, {"TLS" if tls == "starttls" else tls}'] + [with_spread(one[name], 0) for name in
                    ('latency_us', 'latency_p90_us', 'latency_p99_us')])
    return 'From before the write of a stanza to its handler, microseconds\n' + grid(
        ['', 'median', '90 %', '99 %'], rows)


def instructions_tables(results):
    for name, one in results.get('instructions', {}).items():
        lines = [f'Instructions for each stanza: {name} ({number(sum(one["objects"].values()), 0)})',
                 '  ' + ', '.join(f'{obj} {number(value, 0)}' for obj, value in one['objects'].items())]
        if one['purposes']:
            lines.append('  of libxmpp: ' + ', '.join(f'{what} {number(value, 0)}'
                                                      for what, value in one['purposes'].items()))
            mine = [(key.split(' ', 1)[1], value) for key, value in one['functions'].items()
                    if key.startswith('libxmpp ')]
            lines.append('  ' + ', '.join(f'{key} {number(value, 0)}' for key, value in mine[:10]))
        yield '\n'.join(lines)


def targets_table(results):
    rows = [[t['what'], number(t['value']) + (t['unit'] if t['value'] is not None else ''),
             f'{t["relation"]} {number(t["target"])}{t["unit"]}', {True: 'met', False: 'NOT MET', None: 'not measured'}[t['met']]]
            for t in results['targets']]
    return 'Targets\n' + grid(['', 'measured', 'target', ''], rows)


def table(info, results, problems):
    computer = info['machine']
    head = (f'{info["date"]}  {info["command"]}  ({info["seconds"]} s)\n{computer["cpu"]}, {computer["cores"]} cores, '
            f'load {computer["load"]:.1f}, {computer["system"]}, Linux {computer["kernel"]}\n'
            + ', '.join(f'{name} {version}' for name, version in computer['versions'].items()))
    parts = [head, *throughput_tables(results), counts_table(results), idle_table(results), login_table(results),
             latency_table(results), *instructions_tables(results), *scale.tables(results['scale'], grid, number),
             targets_table(results)]
    if problems:
        parts.append('What did not work\n' + '\n'.join(problems))
    return '\n\n'.join(parts)


def picture(results, build):
    """CPU time for each stanza, as bars."""
    if not shutil.which('gnuplot'):
        return
    cpu = results['cpu_us']
    lines = []
    for client in names(cpu, 3):
        values = [get(cpu, (client, mode, 'starttls'), 'median', default=0) for mode in ('receive', 'send')]
        lines.append(f'"{client}" {values[0]:.3f} {values[1]:.3f}')
    data = build / 'results.dat'
    data.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    script = f'''set terminal svg size 720,420 font "sans,13" background "white"
set output "{build}/results.svg"
set title "CPU time for each stanza over TLS (microseconds, less is better)"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9
set boxwidth 0.9
set grid ytics
set yrange [0:*]
set key top left
plot "{data}" using 2:xtic(1) title "receive, about 600 bytes" linecolor rgb "#336699", \\
     "" using 3 title "send, about 170 bytes" linecolor rgb "#cc8833"
'''
    subprocess.run(['gnuplot'], input=script, text=True, check=True)
