#!/bin/sh
# Starts run.js in a mount namespace in which every runtime works: crun refuses a cgroup v1 machine that has a v2 hierarchy mounted beside
# ("hybrid"), so that one is unmounted there, for all. The machine's own mounts stay as they are.
#
# Options come as variables: ONLY=volume,startup UPDATE=1 QUICK=1
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
set --
[ -z "${ONLY:-}" ] || set -- "$@" --only "$ONLY"
[ -z "${QUICK:-}" ] || set -- "$@" --quick
[ -z "${UPDATE:-}" ] || set -- "$@" --update

# shellcheck disable=SC2016
exec unshare --mount sh -c '
    if [ ! -f /sys/fs/cgroup/cgroup.controllers ] && mountpoint -q /sys/fs/cgroup/unified; then
        umount /sys/fs/cgroup/unified
    fi
    exec node "$@"' experiments "$top/dist/conformance/experiments/run.js" "$@"
