# shellcheck shell=bash
# Sourced by the scripts that are made of steps, which set $logs, a directory: runs steps and counts them.

: "${logs:?}"
passed=0 failed=0

# step NAME COMMAND... : one step; what it wrote is shown only if it fails
step() {
    local name=$1
    shift
    if "$@" >"$logs/step" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok       $name"
    else
        failed=$((failed + 1))
        echo "FAILED   $name"
        tail -n 60 "$logs/step"
    fi
}

# build DIR OPTION... : with gcc
build() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" -Dwerror=true "$@" || return
    ninja -C "$dir"
}

# build_clang DIR OPTION...
build_clang() (
    export CC=clang-14 CXX=g++
    build "$@" -Db_lundef=false
)

# finish : the last line, and the exit status
finish() {
    echo
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
