#!/bin/sh
# Runs the tests where this machine may not be able to: on cgroup v2 alone, on Debian's kernel, under systemd as root and as a user.
# Ends with the line `N passed, N failed, N skipped`.
#
#   tests.sh [--quick | PATTERN...]     a PATTERN selects test files by a part of their path; without: those that a kernel or systemd can
#       change; --quick: of these the ones that only cgroup v2 and systemd can show, in five minutes on an idle machine
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
machine=$top/conformance/vm/machine.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT

sh "$top/conformance/vm/setup.sh" kernel

# in_machine NAME OPTION COMMAND: shows the command's output, and keeps it for the sum. What it runs has to end with a summary, each a line of COMMAND.
expected=0
in_machine() {
    echo "== $1"
    expected=$((expected + $(echo "$3" | grep -cE 'run-tests\.js|rootless-podman\.sh')))
    # shellcheck disable=SC2086
    "$machine" $2 "cd $top; export TMPDIR=/run/tests; mkdir -m 1777 /run/tests; $3" 2>&1 | tee -a "$log" || true
}

# The part that a user's systemd does.
by_user="
    echo 'reg-user:x:1234:1234::/tmp:/bin/sh' >>/etc/passwd
    echo 'reg-user:x:1234:' >>/etc/group
    echo 'reg-user:!:19000::::::' >>/etc/shadow
    loginctl enable-linger reg-user
    for try in 1 2 3 4 5 6 7 8 9 10; do test -S /run/user/1234/bus && break; sleep 1; done
    if runuser -u reg-user -- test -r $top/dist/conformance; then
        runuser -u reg-user -- env XDG_RUNTIME_DIR=/run/user/1234 node dist/conformance/run-tests.js linux/cgroup/systemd
    else
        echo 'systemd, a user: needs a checkout that users can read'
        echo '0 passed, 0 failed, 1 skipped'
    fi"
others="runtime/linux/ conformance/mounts conformance/network conformance/seccomp conformance/terminal conformance/reg/compose conformance/checkpoint/checkpoint conformance/shim/accounts conformance/shim/sandbox"

if [ "${1:-}" = --quick ]; then
    # One machine, in which process 1 is systemd, for all.
    in_machine "cgroup v2 under systemd, root and a user" "-s -t 900" "modprobe loop
        node dist/conformance/run-tests.js --jobs 1 linux/cgroup/systemd conformance/fields/resources conformance/lifecycle/lifecycle \
            conformance/lifecycle/kill conformance/exec/manage
        $by_user"
    echo "left out: what else is in conformance/fields, conformance/lifecycle and conformance/exec; $others; all without systemd; rootless podman"
elif [ $# -gt 0 ]; then
    in_machine "cgroup v2" "-t 3000" "modprobe loop; node dist/conformance/run-tests.js --jobs 1 $*"
else
    sh "$top/conformance/checkpoint/criu.sh" fetch >/dev/null || echo "tests of checkpoint and restore are skipped"
    # A loop device is one whose reading and writing can be limited.
    in_machine "cgroup v2" "-t 3000" "modprobe loop
        node dist/conformance/run-tests.js --jobs 1 conformance/fields conformance/lifecycle conformance/exec $others"
    in_machine "systemd, root" "-s -t 1500" "modprobe loop; node dist/conformance/run-tests.js linux/cgroup/systemd conformance/fields/resources"
    in_machine "systemd, a user" "-s" "$by_user"
    if command -v podman >/dev/null && command -v newuidmap >/dev/null; then
        in_machine "rootless podman" "-s" "sh conformance/vm/rootless-podman.sh"
    else
        echo "rootless podman: skipped, needs podman and newuidmap (uidmap)"
    fi
fi
sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p' "$log" |
    awk -v expected=$expected '{ passed += $1; failed += $2; skipped += $3 }
        END { if (NR < expected) failed += expected - NR; printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }'
