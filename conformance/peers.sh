#!/bin/sh
# Leaves newer crun and runc than the machine's at build/peers/SUITE/bin, for comparisons: those of Debian trixie and sid.
#
#   peers.sh [SUITE]...
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
peers=$top/build/peers
[ $# -gt 0 ] || set -- trixie sid

say() {
    echo "peers: $*" >&2
}

command -v apt-get >/dev/null || {
    say "only Debian's packages are known here; crun and runc of this machine are used alone"
    exit 0
}

for suite in "$@"; do
    # A week old is new enough.
    if [ -n "$(find "$peers/$suite/bin/runc" -mtime -7 2>/dev/null)" ]; then
        continue
    fi
    sh "$top/conformance/unpack.sh" "$suite" "$peers/$suite" crun runc || {
        say "crun and runc of Debian $suite are left out"
        continue
    }
    touch "$peers/$suite/bin/runc"
    for name in crun runc; do
        "$peers/$suite/bin/$name" --version >/dev/null || say "$name of Debian $suite does not start here"
    done
done
