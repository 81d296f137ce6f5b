#!/bin/sh
# Runs the cgroup tests where this machine can not: on cgroup v2, and under systemd as root and as a user.
# Usage: vm-tests.sh RUNNER [DIST]. RUNNER COMMAND runs a shell command in a throw-away machine that has cgroup v2 and sees
# this machine's files; RUNNER -s COMMAND does so under systemd. DIST is the compiled tree, dist/ by default.
set -u
runner=${1:?usage: vm-tests.sh RUNNER [DIST]}
dist=$(readlink -f "${2:-$(dirname "$0")/../../../dist}")
tests=$dist/runtime/linux/cgroup
failed=0

# in_vm NAME OPTION COMMAND: the command's output, and whether it succeeded.
in_vm() {
    echo "== $1"
    # shellcheck disable=SC2086
    FORCE_COLOR=0 "$runner" $2 "cd $dist || exit 1; export FORCE_COLOR=0; $3" || failed=$((failed + 1))
}

in_vm "cgroup v2" "" "
    status=0
    for test in cgroup host fake; do timeout 120 node $tests/\$test.test.js || status=1; done
    ls -d /sys/fs/cgroup/reg-cgroup-* 2>/dev/null && status=1
    exit \$status"

in_vm "systemd, root" -s "
    timeout 200 node $tests/systemd.test.js || exit 1
    test -z \"\$(systemctl list-units 'reg-test-*' --all --no-legend)\""

in_vm "systemd, user" -s "
    if ! id reg-user >/dev/null 2>&1; then
        echo 'reg-user:x:1234:1234::/tmp:/bin/sh' >>/etc/passwd
        echo 'reg-user:x:1234:' >>/etc/group
        echo 'reg-user:!:19000::::::' >>/etc/shadow
    fi
    loginctl enable-linger reg-user
    for i in 1 2 3 4 5 6 7 8 9 10; do test -S /run/user/1234/bus && break; sleep 1; done
    timeout 200 runuser -u reg-user -- env XDG_RUNTIME_DIR=/run/user/1234 node $tests/systemd.test.js"

[ $failed -eq 0 ] || echo "$failed of 3 machines failed"
[ $failed -eq 0 ]
