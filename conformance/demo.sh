#!/bin/sh
# `make demo`: from a fresh clone on Debian 12 or 13 to a container that ran and left nothing behind.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
    printf '$ %s\n' "$*"
    "$@"
}
die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || die "containers of this demo need root: sudo make demo"

say "1. Set up and build"
sh .ci/setup
make --no-print-directory --silent build
ls -l build/reg

demo=$(mktemp -d)
id=demo-$$
root=$demo/state
cd "$demo"
# States go to a folder of the demo's own.
reg() { "$top/build/reg" --root "$root" "$@"; }

# What a container could leave: mounts, cgroups and processes that carry its id or path.
leftovers() {
    grep -F -e "$demo" -e "$id" /proc/self/mounts || true
    find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null || true
    ls -A "$root" 2>/dev/null || true
}
clean_up() {
    cd /
    for name in "$id" "$id-walk"; do
        reg delete --force "$name" >/dev/null 2>&1 || true
    done
    rm -rf "$demo"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say "2. Make a bundle: a busybox rootfs, and a config that 'reg spec' begins"
mkdir -p rootfs/bin
busybox=$(command -v busybox) || die "busybox is missing"
cp "$busybox" rootfs/bin/busybox
for applet in sh echo id hostname sleep; do
    ln -s busybox "rootfs/bin/$applet"
done
show reg spec
# The container's program, and no terminal: output goes where reg's goes. JSON is edited by Node, which is here anyway.
edit() {
    node -e '
        const { readFileSync, writeFileSync } = require("node:fs");
        const [file, ...args] = process.argv.slice(1);
        const config = JSON.parse(readFileSync(file, "utf8"));
        config.process.terminal = false;
        config.process.args = args;
        writeFileSync(file, JSON.stringify(config, null, 2));
    ' config.json "$@"
}

say "3. Run a container: its output is shown, its exit status kept"
edit sh -c 'echo "hello from $(hostname), process $$; user $(id -u)"; exit 7'
status=0
show reg run "$id" || status=$?
echo "exit status: $status"
[ "$status" = 7 ] || die "the exit status should have been 7"

say "4. The same by steps: create, start, state, kill, delete"
# shellcheck disable=SC2016
edit sh -c 'trap "echo stopped by a signal; exit 0" TERM; echo started; while :; do sleep 0.1; done'
echo "\$ reg create --pid-file pid $id-walk >output"
reg create --pid-file pid "$id-walk" >output 2>&1 || die "create failed: $(cat output)"
show reg list
show reg start "$id-walk"
show reg state "$id-walk"
echo
# The program has to have set its trap.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! grep -q '^started' output || break
    sleep 0.1
done
show reg kill "$id-walk" TERM
for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! reg state "$id-walk" | grep -q '"stopped"' || break
    sleep 0.1
done
show cat output
show reg delete "$id-walk"

say "5. Nothing is left behind"
rest=$(leftovers)
[ -z "$rest" ] || die "left behind: $rest"
echo "no mount, no cgroup, no state"
