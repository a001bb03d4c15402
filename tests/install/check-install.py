#!/usr/bin/python3
"""check-install.py BUILD_DIR SOURCE_DIR: installs into an empty prefix, then builds and runs programs with nothing but
what pkg-config says: C and C++, shared and static, and the program of the README."""
import glob
import os
import re
import subprocess
import sys
import tempfile

build, source = sys.argv[1:3]


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def readme_program():
    with open(os.path.join(source, "README.md"), encoding="utf-8") as file:
        return re.search(r"```c\n(.*?)```", file.read(), re.S).group(1)


with tempfile.TemporaryDirectory() as root:
    run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", root])
    (pc,) = glob.glob(root + "/**/libxmpp.pc", recursive=True)
    environment = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(pc))
    libdir = os.path.dirname(os.path.dirname(pc))
    assert os.path.lexists(libdir + "/libxmpp.so") and os.path.exists(libdir + "/libxmpp.a")
    assert run(["pkg-config", "--modversion", "libxmpp"], env=environment).strip() == "0.1.0"
    headers = [h for h in glob.glob(root + "/**/xmpp/**/*.h", recursive=True)]
    installed = {os.path.basename(h) for h in headers}
    in_source = {os.path.basename(h) for h in glob.glob(source + "/include/**/*.h", recursive=True)}
    assert installed == in_source, f"not installed: {in_source - installed}"

    readme = os.path.join(root, "readme.c")
    with open(readme, "w", encoding="utf-8") as file:
        file.write(readme_program())
    consumer = os.path.join(source, "tests/install/consumer.c")
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
    flags = run(["pkg-config", "--cflags", "--libs", "libxmpp"], env=environment).split()
    static = run(["pkg-config", "--cflags", "--libs", "--static", "libxmpp"], env=environment).split()
    static = [libdir + "/libxmpp.a" if flag == "-lxmpp" else flag for flag in static]
    run_path = dict(os.environ, LD_LIBRARY_PATH=libdir)
    for name, command, use, start in (
            ("c", ["cc", "-std=c99", "-pedantic", consumer], flags, True),
            ("c++", ["c++", "-std=c++11", "-x", "c++", consumer, "-x", "none"], flags, True),
            ("c-static", ["cc", "-std=c99", consumer], static, True),
            ("readme", ["cc", "-std=c99", readme], flags, False)):
        program = os.path.join(root, name)
        run(command + strict + ["-o", program] + use)
        if start:
            print(name, run([program], env=run_path).strip())
        if name == "c-static":
            assert "libxmpp" not in run(["ldd", program])
