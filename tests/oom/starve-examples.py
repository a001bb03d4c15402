#!/usr/bin/python3
"""starve-examples.py MODULE DIRECTORY: the examples without memory. Run by servers.py.

Each example runs again and again, each time with another allocation of its process failing, once or from then on. It
must end: with success, or with an exit code that tells of an error. The environment's STARVE_STEP says how many
allocations lie between two that fail; without it, STEPS of them are spread over the run."""
import os
import re
import signal
import subprocess
import sys
import tempfile

MODULE, DIRECTORY = sys.argv[1:]
STEPS = 12
HANG = 60
DOMAIN = os.environ["XMPP_TEST_DOMAIN"]
ALICE, BOB = "alice@" + DOMAIN, "bob@" + DOMAIN
NET = ["--ca-file", os.environ["XMPP_TEST_CA"], "--dns", os.environ["XMPP_TEST_DNS"], "--timeout", "20"]
# no memory for what the dynamic linker and the C library need before main() and in dlopen()
LINKER = ("cannot allocate memory", "cannot create", "error while loading shared libraries", "out of memory")
failures = []

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "known.h"), encoding="utf-8") as file:
    KNOWN = re.findall(r'{"(/[^"]+)",\s*"([^"]+)",\s*(?:"([^"]+)"|NULL)', file.read())


def start(program, arguments, at, count, **streams):
    environment = dict(os.environ, XMPP_PASSWORD="secret", LD_PRELOAD=MODULE, STARVE_AT=at, STARVE_COUNT=count)
    return subprocess.Popen([os.path.join(DIRECTORY, program), *arguments], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                            errors="replace", **streams)


def run(program, arguments, at, count, text):
    """Exit status and output."""
    process = start(program, arguments, at, count, stdin=subprocess.PIPE)
    try:
        output, _ = process.communicate(text, timeout=HANG)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.kill()
        return "hang", process.communicate()[0]


def run_bot(program, arguments, at, count, _text):
    """A bot that gets a message, and is told to end."""
    process = start(program, arguments, at, count, stdin=subprocess.DEVNULL)
    try:
        seen = ""
        for line in process.stdout:
            seen += line
            if "waiting for messages" in line:
                subprocess.run([os.path.join(DIRECTORY, "send"), *NET, ALICE, BOB + "/bot", "x"], timeout=HANG,
                               env=dict(os.environ, XMPP_PASSWORD="secret"), check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                process.send_signal(signal.SIGTERM)
        process.wait(timeout=HANG)
        return process.returncode, seen
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return "hang", seen


def is_known(output):
    """A crash inside a dependency, as known.h lists them."""
    stack = [line for line in output.splitlines() if re.search(r"\[0x[0-9a-f]+\]$", line)]
    stack = [line for line in stack[1:] if "/libc.so" not in line]  # behind the handler
    return any(stack and library in stack[0] and any(f"({function}+" in line for line in stack) and
               (not caller or any(f"({caller}+" in line for line in stack)) for library, function, caller in KNOWN)


def is_good(status, output):
    if status == 127:
        return any(words in output for words in LINKER)
    if status in (-signal.SIGSEGV, -signal.SIGABRT):
        return is_known(output)
    return status in range(0, 9)


def torture(name, runner, program, arguments, text=""):
    with tempfile.NamedTemporaryFile() as count:
        status, output = runner(program, arguments, "0", count.name, text)
        if status != 0:
            sys.exit(f"{name}, untouched: {status}\n{output}")
        total = int(count.read())
        step = int(os.environ.get("STARVE_STEP", max(1, total // STEPS)))
        codes = {}
        for at in (f"{n}{plus}" for plus in ("", "+") for n in range(1, total + 1, step)):
            status, output = runner(program, arguments, at, count.name, text)
            codes[status] = codes.get(status, 0) + 1
            if not is_good(status, output):
                failures.append(f"{name}: allocation {at} of {total}: {status}\n{output}")
        print(f"{name}: {total} allocations, every {step}.; exit codes {codes}")


torture("send", run, "send", [*NET, ALICE, BOB, "x"])
torture("console", run, "console", [*NET, ALICE],
        f"<iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>\n<message to='{ALICE}'><body>x</body></message>\n/quit\n")
torture("many", run, "many", [*NET, ALICE, "2"])
torture("echobot", run_bot, "echobot", [*NET, BOB + "/bot"])
for failure in failures:
    print(failure)
sys.exit(1 if failures else 0)
