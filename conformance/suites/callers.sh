#!/bin/sh
# The callers of another Debian suite: its Podman, Buildah, containerd and Docker, in a root of its own, with reg and with its crun and runc.
#
#   callers.sh SUITE [ARGUMENT]...    trixie, sid ...; the arguments are run.ts's: --quick, --cases PATTERN, callers' names
#
# The root is made once and kept in build/roots (2 GB). What is tested is this checkout's build. With --write the tables go into
# conformance/callers/RESULTS-SUITE.md. PROGRAM=bench-shim measures instead, into SHIM-SUITE.md and shim-SUITE.svg.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
suite=${1:?"usage: callers.sh SUITE [ARGUMENT]..."}
shift
root=$(sh "$top/conformance/suites/engines.sh" "$suite")

sh "$top/conformance/callers/setup.sh" interface

# A copy: the checkout may lie where others can not look, and its peers are not the suite's.
rm -rf "$root/reg"
mkdir -p "$root/reg/build" "$root/reg/conformance/callers" "$root/reg/conformance/checkpoint"
cp "$top/conformance/checkpoint/criu.sh" "$root/reg/conformance/checkpoint/"
cp -a "$top/dist" "$top/package.json" "$root/reg/"
for name in reg containerd-shim-reg-v2 tools runtime-tools callers/cri; do
    [ ! -e "$top/build/$name" ] || { mkdir -p "$root/reg/build/$(dirname "$name")" && cp -a "$top/build/$name" "$root/reg/build/$name"; }
done
# Docker's builder leaves its cgroups, empty, wherever the container's are.
left() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -name docker -type d; }
before=$(left)
status=0
BIND="$top/node_modules:/reg/node_modules" NETWORK=none sh "$top/conformance/suites/root.sh" enter "$root" env -i HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    node "/reg/dist/conformance/callers/${PROGRAM:-run}.js" "$@" || status=$?
for written in RESULTS.md SHIM.md shim.svg; do
    [ ! -e "$root/reg/conformance/callers/$written" ] ||
        mv "$root/reg/conformance/callers/$written" "$top/conformance/callers/${written%.*}-$suite.${written##*.}"
done
node "$top/dist/conformance/callers/suites.js"
[ -n "$before" ] || left | while read -r directory; do
    find "$directory" -depth -type d -exec rmdir {} + 2>/dev/null || true # what is in use stays
done
rm -rf "$root/reg"
exit $status
