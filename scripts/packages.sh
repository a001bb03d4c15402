# shellcheck shell=bash disable=SC2034
# Sourced by the other scripts: installs what is missing, and says what before it does.

packages_build="gcc libc6-dev meson ninja-build pkg-config libxml2-dev libgnutls28-dev libidn2-dev \
libunistring-dev libsasl2-dev libc-ares-dev"
packages_servers="prosody gnutls-bin openssl python3-dnslib util-linux"
packages_tests="g++ clang-14 libclang-rt-14-dev valgrind libcmocka-dev libsasl2-modules \
libglib2.0-dev libuv1-dev libevent-dev clang-format-14 doxygen binutils \
liblzma-dev zlib1g-dev"
packages_checks="clang-tidy-14 cppcheck codespell abigail-tools gcovr"
packages_bench="g++ libstrophe-dev libgloox-dev libloudmouth1-dev gnuplot-nox valgrind gnutls-bin \
openssl ca-certificates"

# ensure_packages NAME...
ensure_packages() {
    local missing=() name
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "This script knows Debian and its relatives only; elsewhere install the equivalents of:" >&2
        echo "  $*" >&2
        exit 2
    fi
    for name in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$name" 2>/dev/null) in
        "install ok installed") ;;
        *) missing+=("$name") ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] && return 0

    local install=(apt-get install -y --no-install-recommends "${missing[@]}")
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
            echo "Packages are missing, and installing them takes root:" >&2
            echo "  apt-get install -y --no-install-recommends ${missing[*]}" >&2
            exit 2
        fi
        root=(sudo)
    fi
    echo "Installing packages: ${missing[*]}"

    # A package that brings a server must not start it: the private one is all that is wanted.
    local policy=/usr/sbin/policy-rc.d made_policy=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
        "${root[@]}" chmod 755 $policy
        made_policy=1
    fi
    local status=0 log
    log=$(mktemp)
    { "${root[@]}" apt-get update && "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"; } \
        </dev/null >"$log" 2>&1 || status=$?
    [ -n "$made_policy" ] && "${root[@]}" rm -f $policy
    if [ $status -ne 0 ]; then
        tail -n 20 "$log" >&2
        echo "Installing failed; by hand: ${install[*]}" >&2
    fi
    rm -f "$log"
    [ $status -eq 0 ] || exit 2
}
