#!/bin/busybox sh
# The only process of arm64.sh's machine: tries what containers do there, and turns it off.
export PATH=/bin HOME=/
if [ "${1:-}" != moved ]; then
    # The first file system of a kernel can not be left by pivot_root(2): all goes to another.
    /bin/busybox --install -s /bin
    mkdir /new
    mount -t tmpfs tmpfs /new
    cp -a /bin /proc /sys /dev /run /tmp /overlay.ko /init /new/
    exec switch_root /new /init moved
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec >/dev/console 2>&1
insmod /overlay.ko || echo "no overlay: the executable is copied to be sealed"

passed=0 failed=0
# check NAME COMMAND...
check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok    $name"
    else
        failed=$((failed + 1))
        echo "FAIL  $name: $output"
    fi
}
# expect TEXT COMMAND...: all that the command prints.
expect() {
    text=$1
    shift
    printed=$("$@" 2>&1)
    [ "$printed" = "$text" ] || {
        echo "printed '$printed', not '$text'"
        return 1
    }
}
# status NUMBER COMMAND...
status() {
    number=$1
    shift
    "$@"
    ended=$?
    [ "$ended" = "$number" ] || {
        echo "status $ended"
        return 1
    }
}
# What stays keeps its standard output open: it gets none that somebody waits for.
detached() { "$@" </dev/null >/tmp/output 2>&1 || {
    cat /tmp/output
    return 1
}; }
state() { reg state "$1" | sed -n 's/.*"status": *"\([a-z]*\)".*/\1/p'; }

# bundle NAME SED COMMAND...: what `reg spec` writes, for this command, changed by a script of sed.
bundle() {
    directory=/tmp/$1 script=$2
    shift 2
    mkdir -p "$directory/rootfs/bin" "$directory/rootfs/proc" "$directory/rootfs/sys" "$directory/rootfs/dev" "$directory/rootfs/tmp"
    cp /bin/busybox "$directory/rootfs/bin/"
    for applet in sh sleep id cat true mkdir hostname ps; do ln -s busybox "$directory/rootfs/bin/$applet"; done
    reg spec --bundle "$directory"
    words=
    for word; do words="$words${words:+, }\"$word\""; done
    sed -i -e 's/"terminal": true/"terminal": false/' -e "s|\"sh\"|$words|" -e "$script" "$directory/config.json"
}
run() { reg run --bundle "/tmp/$1" "$1"; }

uname -a
reg --version
bundle hello '' sh -c 'echo hello from $(hostname), $$'
bundle three '' sh -c 'exit 3'
bundle user 's/"uid": 0/"uid": 1000/; s/"gid": 0/"gid": 1000/' id -u
bundle readonly '' mkdir /new
bundle masked '' cat /proc/timer_list
bundle limits 's/"resources": {/"resources": { "memory": { "limit": 16777216 }, "pids": { "limit": 7 },/' sleep 1000
bundle hungry 's/"resources": {/"resources": { "memory": { "limit": 16777216 },/' sh -c 'x=12345678; while :; do x=$x$x; done'
bundle filter 's|"linux": {|"linux": { "seccomp": { "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_AARCH64"], "syscalls": [{ "names": ["getcwd", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13 }] },|; s/"readonly": true/"readonly": false/' mkdir /new
bundle mapped 's|"linux": {|"linux": { "uidMappings": [{ "containerID": 0, "hostID": 100000, "size": 1000 }], "gidMappings": [{ "containerID": 0, "hostID": 100000, "size": 1000 }],|; s|"namespaces": \[|"namespaces": [{ "type": "user" },|' cat /proc/self/uid_map
chown -R 100000:100000 /tmp/mapped/rootfs
bundle life '' sleep 1000

check "run prints" expect "hello from reg, 1" run hello
check "run passes the exit status on" status 3 run three
check "a user by number" expect 1000 run user
check "the root is read-only" expect "mkdir: can't create directory '/new': Read-only file system" run readonly
check "a masked path is empty" expect "" run masked
check "seccomp, for this architecture's calls" expect "mkdir: can't create directory '/new': Permission denied" run filter
check "a user namespace" sh -c 'reg run --bundle /tmp/mapped mapped | grep -q "^ *0 *100000 *1000$"'
check "the limit of memory is enforced" status 137 run hungry

check "create" detached reg create --bundle /tmp/life life
check "state: created" expect created state life
check "start" reg start life
check "state: running" expect running state life
check "exec prints" expect "uid=0 gid=0" reg exec life id
check "exec passes the exit status on" status 5 reg exec life sh -c "exit 5"
check "ps" sh -c 'reg ps life | grep -q "sleep 1000"'
check "pause" reg pause life
check "state: paused" expect paused state life
check "resume" reg resume life
check "list" sh -c 'reg list | grep -q "^life  *[0-9][0-9]*  *running"'
check "delete refuses what runs" status 1 reg delete life
check "kill" reg kill life KILL
sleep 1
check "state: stopped" expect stopped state life
check "delete" reg delete life

check "run, detached" detached reg run --detach --bundle /tmp/limits limits
check "memory.max" expect 16777216 cat /sys/fs/cgroup/limits/memory.max
check "pids.max" expect 7 cat /sys/fs/cgroup/limits/pids.max
check "update" reg update --pids-limit 9 limits
check "pids.max, updated" expect 9 cat /sys/fs/cgroup/limits/pids.max
check "events" sh -c 'reg events --stats limits | grep -q "\"pids\""'
check "delete by force" reg delete --force limits

check "an error names its field" sh -c '! reg run --bundle /tmp/hello a/b 2>/tmp/error && grep -q "^reg: " /tmp/error'
check "nothing is left of them" expect "" sh -c 'ls /run/reg | grep -v "^@"; find /sys/fs/cgroup -mindepth 1 -type d; mount | grep -F " /tmp/"'
echo "$passed passed, $failed failed"
poweroff -f
