#!/usr/bin/env python3
"""Measures the clients of this directory against bench-server and writes results.json.

run.py BUILD_DIR [--quick]: BUILD_DIR is where meson built; the files go there. Every program is started by this one and
ends with it; all of them talk on loopback, on ports that the system chose.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import instructions
import report
import scale

CLIENTS = ['floor', 'libxmpp', 'libstrophe', 'loudmouth', 'gloox']
PACKAGES = {'libxml2': 'libxml-2.0', 'GnuTLS': 'gnutls', 'libstrophe': 'libstrophe', 'loudmouth': 'loudmouth-1.0',
            'gloox': 'gloox'}
SERVER_MODE = {'receive': 'flood', 'single': 'sink', 'slow': 'flood', 'send': 'sink', 'idle': 'idle', 'login': 'idle',
               'latency': 'latency'}
CLIENT_MODE = {'slow': 'receive', 'single': 'send'}
DELAY_US = 40000

FULL = {'rounds': 5, 'stanzas': 100000, 'sends': 100000, 'counted': 20000, 'slow': 8000, 'latency': 600,
        'latency_rounds': 3, 'idle': 1000, 'idle_peers': 100, 'logins': 12, 'login_rounds': 3, 'crowd': 10000,
        'instructions': 3000, 'giant': 4 << 20, 'fair_seconds': 5}
QUICK = {'rounds': 2, 'stanzas': 10000, 'sends': 10000, 'counted': 5000, 'slow': 2000, 'latency': 150,
         'latency_rounds': 1, 'idle': 300, 'idle_peers': 20, 'logins': 5, 'login_rounds': 1, 'crowd': 1000,
         'instructions': 1000, 'giant': 1 << 20, 'fair_seconds': 2}
WARM = 1000
SHARE = {'gloox': 4, 'libstrophe': 2, 'loudmouth': 2}  # what is slow gets a part of the stream: the time is limited


class Bench:
    """Starts a server and a client, and gives back what the client measured."""

    def __init__(self, build, scratch):
        self.programs = build / 'tests' / 'bench'
        self.scratch = scratch
        self.problems = []
        self.clients = [c for c in CLIENTS if (self.programs / f'bench-{c}').exists()]
        self.make_certificates()

    def make_certificates(self):
        """A server certificate, and trust stores that hold it and all that the system trusts."""
        cert, key = self.scratch / 'cert.pem', self.scratch / 'key.pem'
        template = self.scratch / 'template'
        template.write_text('cn = "localhost"\ndns_name = "localhost"\nca\nsigning_key\ntls_www_server\n'
                            'cert_signing_key\nexpiration_days = 30\n', encoding='ascii')
        quiet = {'check': True, 'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
        subprocess.run(['certtool', '--generate-privkey', '--key-type', 'ecdsa', '--curve', 'secp256r1',
                        '--outfile', key], **quiet)
        subprocess.run(['certtool', '--generate-self-signed', '--load-privkey', key, '--template', template,
                        '--outfile', cert], **quiet)
        system = pathlib.Path('/etc/ssl/certs')
        with open(self.scratch / 'ca.pem', 'wb') as bundle:
            bundle.write((system / 'ca-certificates.crt').read_bytes())
            bundle.write(cert.read_bytes())
        trust = self.scratch / 'trust'  # the same, as OpenSSL wants it: files named by a hash
        trust.mkdir()
        for path in system.glob('*.0'):
            (trust / path.name).symlink_to(path)
        name = subprocess.run(['openssl', 'x509', '-noout', '-hash', '-in', cert], check=True, capture_output=True,
                              text=True).stdout.strip()
        (trust / f'{name}.0').symlink_to(cert)

    def start_server(self, mode, tls, count, warm, delay_us):
        server = subprocess.Popen(
            [self.programs / 'bench-server', '--mode', SERVER_MODE[mode], '--tls', tls, '--count', str(count),
             '--warm', str(warm), '--delay-us', str(delay_us), '--cert', self.scratch / 'cert.pem',
             '--key', self.scratch / 'key.pem'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return server, server.stdout.readline().strip()

    def run(self, client, mode, tls, count, *, warm=0, delay_us=0, wrap=(), env=None, timeout=120, **options):
        """The JSON of one run; None, and a line in problems, when it failed."""
        server, port = self.start_server(mode, tls, count, warm, delay_us)
        command = [*wrap, self.programs / f'bench-{client}', '--mode', CLIENT_MODE.get(mode, mode),
                   '--tls', tls, '--count', str(count), '--warm', str(warm), '--port', port,
                   '--ca', self.scratch / 'ca.pem', '--ca-dir', self.scratch / 'trust']
        for name, value in options.items():
            command += ['--' + name.replace('_', '-'), str(value)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                                  env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
            if done.returncode == 0:
                return json.loads(done.stdout)
            what = f'exit code {done.returncode}: {done.stderr.strip()[-200:]}'
        except subprocess.TimeoutExpired:
            what = f'not done within {timeout} s'
        except json.JSONDecodeError:
            what = 'output is no JSON'
        finally:
            server.stdin.close()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            server.stdout.close()
        self.problems.append(f'{client} {mode} {tls}: {what}')
        return None



def spread(values):
    """Median, and the two ends."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values), 'rounds': len(values)}


def say(text):
    print(f'{time.strftime("%H:%M:%S")} {text}', file=sys.stderr, flush=True)


def throughput(bench, size):
    """CPU time and rate, in rounds in which every library has its turn."""
    cpu, rate, peak = {}, {}, {}
    for number in range(size['rounds']):
        say(f'round {number + 1} of {size["rounds"]}: receive and send')
        for mode, count, options in (('receive', size['stanzas'], {}), ('send', size['sends'], {}),
                                     ('single', size['sends'] // 5, {'batch': 1})):
            for tls in ('plain', 'starttls'):
                for client in bench.clients:
                    got = bench.run(client, mode, tls, count // SHARE.get(client, 1), warm=WARM, **options)
                    if not got:
                        continue
                    key = (client, mode, tls)
                    part = got['all']
                    cpu.setdefault(key, []).append(part['cpu_us'] / part['stanzas'])
                    rate.setdefault(key, []).append(part['stanzas'] / part['wall_us'] * 1e6)
                    if mode == 'receive':
                        peak.setdefault(key, []).append(got['peak_kib'] - got['idle_kib'])
    return cpu, rate, peak


def counts(bench, size):
    """Calls for each stanza, in a steady state where the library has one."""
    result = {}
    preload = {'LD_PRELOAD': str(bench.programs / 'bench-counters.so')}
    for mode, options in (('receive', {}), ('send', {}), ('single', {'batch': 1})):
        for tls in ('plain', 'starttls'):
            for client in bench.clients:
                got = bench.run(client, mode, tls, size['counted'], warm=WARM, env=preload, own=1, **options)
                if not got:
                    continue
                part = got['all' if client == 'loudmouth' else 'steady']
                one = {name: part[name] / part['stanzas']
                       for name in ('allocs', 'own_allocs', 'reads', 'writes', 'waits', 'others')}
                if got.get('sent'):
                    words = got['sent'].split()
                    one['records'] = int(words[1]) / (size['counted'] + WARM)
                    one['bytes'] = int(words[3]) / (size['counted'] + WARM)
                result[client, mode, tls] = one
    return result


def idle(bench, size):
    result = {}
    for client in bench.clients:
        for tls in ('plain', 'starttls' if client == 'gloox' else 'direct'):
            count = size['idle'] if client in ('floor', 'libxmpp') else size['idle_peers']
            got = bench.run(client, 'idle', tls, count, timeout=180)
            if got:
                result[client, 'plain' if tls == 'plain' else 'tls'] = got
    for tls in ('plain', 'direct'):
        got = bench.run('libxmpp', 'idle', tls, min(200, size['idle']), own=1)
        key = ('libxmpp', 'plain' if tls == 'plain' else 'tls')
        if got and key in result:
            result[key]['own_bytes'] = got['own_bytes']
    return result


def logins(bench, size):
    """First and following logins; and round trips, from what a delay of the server's answers adds."""
    result = {}

    def add(name, client, tls, **options):
        first, later, cpu_first, cpu_later, own_trips = [], [], [], [], None
        for _ in range(size['login_rounds']):
            got = bench.run(client, 'login', tls, size['logins'], **options)
            if not got:
                return
            cpu_first.append(got['logins'][0]['cpu_us'] / 1000)
            first.append(got['logins'][0]['wall_us'] / 1000)
            cpu_later += [one['cpu_us'] / 1000 for one in got['logins'][1:]]
            later += [one['wall_us'] / 1000 for one in got['logins'][1:]]
            own_trips = got['logins'][0].get('round_trips')
        delayed = bench.run(client, 'login', tls, 5, delay_us=DELAY_US, **options)
        trips = None
        if delayed:
            extra = min(one['wall_us'] for one in delayed['logins'][1:]) - statistics.median(later) * 1000
            trips = round(extra / DELAY_US) + 1  # the TCP handshake is not delayed
        result[name, tls] = {'cpu_first_ms': spread(cpu_first), 'wall_first_ms': spread(first),
                             'cpu_ms': spread(cpu_later), 'wall_ms': spread(later), 'round_trips': trips,
                             'own_round_trips': own_trips}

    for client in bench.clients:
        for tls in ('starttls', 'direct'):
            if (client, tls) != ('gloox', 'direct'):  # it has no direct TLS
                add(client, client, tls)
    for tls in ('starttls', 'direct'):
        add('libxmpp, kept keys', 'libxmpp', tls, keep=1)
        add('libxmpp, kept keys, nobody else connected', 'libxmpp', tls, keep=1, alone=1)
    return result


def latency(bench, size):
    result = {}
    for _ in range(size['latency_rounds']):
        for tls in ('plain', 'starttls'):
            for client in bench.clients:
                got = bench.run(client, 'latency', tls, size['latency'])
                if got:
                    for name in ('latency_us', 'latency_p90_us', 'latency_p99_us'):
                        result.setdefault((client, tls), {}).setdefault(name, []).append(got[name])
    return {key: {name: spread(values) for name, values in one.items()} for key, one in result.items()}


def slow(bench, size):
    result = {}
    for client in bench.clients:
        got = bench.run(client, 'slow', 'starttls', size['slow'], slow_us=100)
        if got:
            result[client] = got['peak_kib'] - got['idle_kib']
    return result


def crowd(bench, size):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = size['crowd']
    if hard != resource.RLIM_INFINITY and hard < count + 100:
        count = hard - 100
        bench.problems.append(f'crowd: only {count} descriptors')
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    got = bench.run('libxmpp', 'idle', 'direct', count, timeout=240)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return got


def machine():
    model = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo', encoding='utf-8')
                  if line.startswith('model name')), platform.machine())
    versions = {}
    for name, package in PACKAGES.items():
        done = subprocess.run(['pkg-config', '--modversion', package], capture_output=True, text=True, check=False)
        versions[name] = done.stdout.strip() or 'absent'
    system = {}
    if os.path.exists('/etc/os-release'):
        system = dict(line.rstrip().split('=', 1) for line in open('/etc/os-release', encoding='utf-8') if '=' in line)
    return {'cpu': model, 'cores': os.cpu_count(), 'kernel': platform.release(),
            'system': system.get('PRETTY_NAME', '?').strip('"'), 'versions': versions, 'load': os.getloadavg()[0]}


def flat(table):
    """Keys of several parts as one string, for JSON."""
    return {' '.join(key) if isinstance(key, tuple) else key: value for key, value in table.items()}


def measure(bench, size, build):
    results = {}
    cpu, rate, peak = throughput(bench, size)
    for name, table in (('cpu_us', cpu), ('rate', rate), ('peak_kib', peak)):
        results[name] = {key: spread(values) for key, values in table.items()}
    for name, function in (('counts', counts), ('idle', idle), ('login', logins), ('latency', latency),
                           ('slow_kib', slow)):
        say(name)
        results[name] = function(bench, size)
    say('instructions')
    if shutil.which('valgrind'):
        results['instructions'] = instructions.measure(bench, size['instructions'])
    else:
        bench.problems.append('valgrind is not there: no instruction counts')
    say('growth')
    results['scale'] = scale.measure(bench, size)
    say(f'{size["crowd"]} clients in one process')
    results['crowd'] = crowd(bench, size)
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--quick', action='store_true')
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in ('SSL_CERT_FILE', 'SSL_CERT_DIR'):
        os.environ.pop(name, None)  # OpenSSL reads the system's own store
    build = options.build.resolve()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='xmpp-bench-') as scratch:
        bench = Bench(build, pathlib.Path(scratch))
        info = {'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='minutes'),
                'command': 'scripts/bench --quick' if options.quick else 'scripts/bench', 'machine': machine()}
        results = measure(bench, QUICK if options.quick else FULL, build)
    info['seconds'] = round(time.monotonic() - begin)
    results['targets'] = report.targets(results)
    text = report.table(info, results, bench.problems)
    print(text)
    (build / 'results.txt').write_text(text + '\n', encoding='utf-8')
    machine_form = {'info': info, 'problems': bench.problems,
                    **{name: flat(value) if isinstance(value, dict) else value for name, value in results.items()}}
    (build / 'results.json').write_text(json.dumps(machine_form, indent=1) + '\n', encoding='utf-8')
    report.picture(results, build)
    print(f'\n{build}/results.txt, results.json, results.svg')


if __name__ == '__main__':
    main()
