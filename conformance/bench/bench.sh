#!/bin/sh
# Starts bench.js in a mount namespace in which every contender works: crun refuses a cgroup v1 machine that has a v2 hierarchy mounted
# beside ("hybrid"), so that one is unmounted there, for all. The machine's own mounts stay as they are.
#
# Options come as variables: ROUNDS=30 CONTENDERS=reg,crun SCENARIOS=run ALIVE=1,1000 UPDATE=1
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || {
    echo "bench: needs root" >&2
    exit 1
}
set --
[ -z "${ROUNDS:-}" ] || set -- "$@" --rounds "$ROUNDS"
[ -z "${CONTENDERS:-}" ] || set -- "$@" --contenders "$CONTENDERS"
[ -z "${SCENARIOS:-}" ] || set -- "$@" --scenarios "$SCENARIOS"
[ -z "${ALIVE+set}" ] || set -- "$@" --alive "$ALIVE"
[ -z "${UPDATE:-}" ] || set -- "$@" --update

# shellcheck disable=SC2016
exec unshare --mount sh -c '
    if [ ! -f /sys/fs/cgroup/cgroup.controllers ] && mountpoint -q /sys/fs/cgroup/unified; then
        umount /sys/fs/cgroup/unified
    fi
    exec node "$@"' bench "$top/dist/conformance/bench/bench.js" "$@"
