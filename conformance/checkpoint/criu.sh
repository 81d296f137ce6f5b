#!/bin/sh
# Finds a CRIU that works on this machine's kernel, and prints its path: the installed one, or that of Debian sid, unpacked into build/criu.
#
#   criu.sh [fetch]      with `fetch`, unpacks it where none works
#
# An old CRIU does not know a new kernel: that of Debian 12 ends at once on Linux 6.18.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
unpacked=$top/build/criu/bin/criu

say() {
    echo "criu: $*" >&2
    exit 1
}

works() {
    [ -x "$1" ] && "$1" check >/dev/null 2>&1
}

[ "$(id -u)" = 0 ] || say "needs root"
for criu in "$(PATH=$PATH:/usr/local/sbin:/usr/sbin command -v criu || true)" "$unpacked"; do
    if works "$criu"; then
        echo "$criu"
        exit 0
    fi
done
[ "${1:-}" = fetch ] || say "none works on this kernel"
command -v apt-get >/dev/null || say "none works on this kernel, and only Debian's packages are known here"
sh "$top/conformance/unpack.sh" sid "$top/build/criu" criu
works "$unpacked" || say "that of Debian sid does not work on this kernel"
echo "$unpacked"
