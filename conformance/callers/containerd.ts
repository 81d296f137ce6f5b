/** containerd with its shim for runc and with ctr, as Kubernetes and Docker use it. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SHIM, TOOLS, TOP } from "../paths.ts";
import { mounting, need, program, root } from "../testing.ts";
import { type Caller, type Case, IMAGE, type Place, peersBefore, SAME } from "./caller.ts";
import { CRIU_PROLOGUE, checkpointCases, countInto, GOES_ON, OPEN_CONNECTIONS, openConnection } from "./checkpoint.ts";

/** A daemon of its own, which `serve` starts in the background. */
export function configureContainerd({ folder, runtime, mark, archive, rootfs }: Place): string {
  writeFileSync(
    join(folder, "containerd.toml"),
    `version = 2
root = "${folder}/root"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "/run/containerd.sock"
`,
  );
  return `
${CRIU_PROLOGUE}${GOES_ON}image=${IMAGE} mark=${mark} runtime=${runtime.path} kind=${runtime.kind} dir=${folder} rootfs=${rootfs} archive=${archive}
export CONTAINERD_ADDRESS=/run/containerd.sock CONTAINERD_NAMESPACE=$mark
until_true() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 100 ] || return 1; sleep 0.05; done; }
serve() {
    TMPDIR=$dir containerd --config $dir/containerd.toml </dev/null >>$dir/containerd.log 2>&1 &
    echo $! >/run/containerd.pid
    until_true ctr version
}
`;
}

/** Waits until \`traces\` prints what it did before. */
export const SETTLE = `settle() {
    n=0
    until now=$(traces); [ "$now" = "$1" ]; do
        n=$((n + 1))
        [ $n -lt 50 ] || { echo before $1, after $now; return 0; }
        sleep 0.1
    done
    echo nothing
}
`;

const FUNCTIONS = `
${OPEN_CONNECTIONS}# update RESOURCES: of the task $c.
update() { node ${join(TOP, "dist/conformance/callers/update-task.js")} $CONTAINERD_ADDRESS $CONTAINERD_NAMESPACE $c "$1"; }
# What a container's processes may leave behind: processes, descriptors of its init, its shim and containerd, state, temporary files, cgroups.
traces() {
    pid=$(ctr tasks ls | awk -v c=$c '$1 == c { print $2 }')
    shim=$(awk '/^PPid:/ { print $2 }' /proc/$pid/status)
    ls -d /proc/[0-9]* | wc -l
    for p in $pid $shim; do ls /proc/$p/fd | wc -l; done
    find /run/containerd/runc/$mark /run/containerd-state/io.containerd.runtime.v2.task /tmp/runc-process* 2>/dev/null | wc -l
    find /sys/fs/cgroup -path "*/$mark*/*" -type d | wc -l
}
${SETTLE}# run FLAGS... -- COMMAND...: FLAGS of ctr run.
run() { flags=; while [ "$1" != -- ]; do flags="$flags $1"; shift; done; shift; ctr run $given $flags $image $c "$@"; }
sleeping() { run -d "$@" -- sleep 1000; }
# discard ID: what may never have started, for whose end ctr of containerd 1 waits for ever.
discard() { timeout 30 ctr tasks rm -f $1 2>/dev/null; ctr containers rm $1; }
gone() { ctr tasks kill -s KILL $c; until_true sh -c "ctr tasks ls | grep -q '$c .*STOPPED'"; ctr tasks rm $c >/dev/null; ctr containers rm $c; }
`;

// ctr drops what a process writes right before its end (1 of 100 times, with all runtimes): so what is looked at is written a little earlier.
// biome-ignore format: one case, one line
const CASES: readonly Case[] = [
  { name: "run: output", run: "run --rm -- echo hello", output: "hello" },
  { name: "run: exit status 3", run: "run --rm -- sh -c 'exit 3'", status: 3 },
  { name: "run: exit status of a signal", run: "run --rm --with-ns pid:/proc/1/ns/pid -- sh -c 'kill -9 $$'", status: 137 },
  { name: "run: program not found", run: "run --rm -- nowhere 2>&1; ctr containers rm $c 2>/dev/null; true", output: /exec: "nowhere": executable file not found in \$PATH/ },
  { name: "run: not executable", run: "run --rm -- /etc/passwd 2>&1; ctr containers rm $c 2>/dev/null; true", output: /permission denied/ },
  { name: "run: no such working directory", run: "run --rm --cwd /no/where -- pwd", output: "/no/where" },
  { name: "run: stdin", run: "(echo words; sleep 1) | run --rm -- cat", output: "words" },
  { name: "run: tty", run: "script -qec \"ctr run $given --rm --tty $image $c sh -c 'test -t 0 && tty'\" /dev/null", output: /\/dev\/pts\/0/ },
  { name: "run: environment", run: "run --rm --env NAME=value -- sh -c 'echo $NAME $FROM_IMAGE'", output: "value yes" },
  { name: "run: working directory", run: "run --rm --cwd /tmp -- pwd", output: "/tmp" },
  { name: "run: root filesystem from a folder", run: "ctr run $given --rm --rootfs $rootfs $c /bin/echo hello", output: "hello" },
  { name: "run: pid file", run: "sleeping --pid-file $dir/pid; readlink /proc/$(cat $dir/pid)/exe; gone", output: /busybox/ },
  { name: "mount: read-only root", run: "run --rm --read-only -- touch /x", status: 1 },
  { name: "mount: bind", run: "mkdir -p $dir/v; echo words >$dir/v/file; run --rm --mount type=bind,src=$dir/v,dst=/data,options=rbind:ro -- sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo kept'", output: "words\nkept" },
  { name: "mount: list is that of the peers", run: "run --rm -- awk '{ print $2, $3 }' /proc/mounts", output: SAME },
  { name: "limit: memory", run: "sleeping --memory-limit 67108864; cat /sys/fs/cgroup/memory/$(group)/memory.limit_in_bytes /sys/fs/cgroup/$(group)/memory.max 2>/dev/null; gone", output: "67108864" },
  { name: "limit: memory is enforced", run: "run --rm --memory-limit 16777216 -- sh -c 'tail /dev/zero; echo $?'", output: "137" },
  { name: "limit: cpus", run: "sleeping --cpus 0.5; cat /sys/fs/cgroup/cpu/$(group)/cpu.cfs_quota_us /sys/fs/cgroup/$(group)/cpu.max 2>/dev/null; gone", output: /^50000( 100000)?$/ },
  { name: "limit: descriptors", run: "run --rm -- sh -c 'ulimit -n'", output: "1024" },
  { name: "security: capabilities", run: "run --rm -- awk '/^Cap/ { print $1, $2 }' /proc/self/status", output: SAME },
  { name: "security: drop and add capabilities", run: "run --rm --cap-drop CAP_CHOWN --cap-add CAP_NET_ADMIN -- awk '/^CapEff/ { print $2 }' /proc/self/status", output: SAME },
  { name: "security: privileged", run: "run --rm --privileged -- sh -c \"awk '/^Cap/ { print \\$1, \\$2 }' /proc/self/status; ls /dev | sort\"", output: SAME },
  { name: "security: seccomp", run: "run --rm --seccomp -- awk '/^Seccomp:/ { print $2 }' /proc/self/status", output: "2" },
  { name: "security: seccomp denies", run: "run --rm --seccomp -- unshare -U true", status: 1 },
  { name: "security: no new privileges", run: "run --rm -- awk '/^NoNewPrivs/ { print $2 }' /proc/self/status", output: "1" },
  { name: "security: device", run: "run --rm --device /dev/kmsg -- sh -c 'stat -c \"%F %t:%T\" /dev/kmsg'", output: "character special file 1:b" },
  { name: "security: id map", run: "run --rm --uidmap 0:100000:5000 --gidmap 0:100000:5000 -- sh -c 'cat /proc/self/uid_map; stat -c %u /etc/passwd' | tr -s ' '", output: "0 100000 5000\n0" },
  { name: "security: masked and read-only paths", run: "run --rm -- sh -c 'head -c 1 /proc/kcore | wc -c; echo 1 2>/dev/null >/proc/sys/kernel/panic || echo kept'", output: SAME },
  { name: "namespace: processes of its own", run: "run --rm -- sh -c 'echo $$'", output: "1" },
  { name: "namespace: network of the host", run: "ls /sys/class/net >$dir/net; run --rm --net-host -- ls /sys/class/net | cmp - $dir/net" },
  { name: "namespace: join processes of another", run: "sleeping; pid=$(ctr tasks ls | awk -v c=$c '$1 == c { print $2 }'); ctr run $given --rm --with-ns pid:/proc/$pid/ns/pid $image $c-b sh -c 'ps | grep -c \"[s]leep 1000\"'; gone", output: "1" },
  { name: "task: detach, ls", run: "sleeping; ctr tasks ls | awk -v c=$c '$1 == c { print $3 }'; gone", output: "RUNNING" },
  { name: "task: exec", run: "sleeping; ctr tasks exec --exec-id a $c sh -c 'echo hello; sleep 0.2'; gone", output: "hello" },
  { name: "task: exec, exit status 5", run: "sleeping; ctr tasks exec --exec-id a $c sh -c 'exit 5'; s=$?; gone; exit $s", status: 5 },
  { name: "task: exec, program not found", run: "sleeping; ctr tasks exec --exec-id a $c nowhere 2>&1; gone", output: /exec: "nowhere": executable file not found in \$PATH/ },
  { name: "task: exec with a tty", run: "sleeping; script -qec \"ctr tasks exec --exec-id a --tty $c sh -c 'test -t 0 && tty; sleep 0.2'\" /dev/null; gone", output: /\/dev\/pts\/\d+/ },
  { name: "task: exec, user and folder", run: "sleeping; ctr tasks exec --exec-id a --user 1000 --cwd /tmp $c sh -c 'id -u; pwd; sleep 0.2'; gone", output: "1000\n/tmp" },
  { name: "task: exec, stdin", run: "sleeping; echo words | ctr tasks exec --exec-id a $c sh -c 'cat; sleep 0.2'; gone", output: "words" },
  { name: "task: exec, detach", run: "sleeping; ctr tasks exec -d --exec-id a $c touch /tmp/x; until_true ctr tasks exec --exec-id b $c test -e /tmp/x && echo here; gone", output: "here" },
  { name: "task: exec, 20 at once", run: "sleeping; for i in $(seq 20); do (ctr tasks exec --exec-id e$i $c sh -c \"exit $i\"; echo $i $?) & done >$dir/many; wait; awk '$1 != $2 { bad++ } END { print NR, bad + 0 }' $dir/many; gone", output: "20 0" },
  { name: "task: exec, 200, 20 at a time, nothing left", slow: true, run: `sleeping; ctr tasks exec --exec-id e0 $c true; sleep 1; before=$(traces)
for j in $(seq 10); do for i in $(seq 20); do (ctr tasks exec --exec-id e$j-$i $c sh -c "exit $i"; echo $i $?) & done; wait; done >$dir/many
awk '$1 != $2 { bad++ } END { print NR, bad + 0 }' $dir/many; ctr tasks ps $c | grep -c '^[0-9]'
settle "$before"; gone`, output: "200 0\n1\nnothing" },
  { name: "task: ps", run: "sleeping; ctr tasks exec -d --exec-id a $c sleep 500; ctr tasks ps $c | grep -c '^[0-9]'; gone", output: "2" },
  { name: "task: kill with a signal that is handled", run: "ctr run $given -d $image $c sh -c 'trap \"exit 9\" USR1; touch /up; while :; do sleep 0.05; done'; until_true ctr tasks exec --exec-id a $c test -e /up; ctr tasks kill -s USR1 $c; until_true sh -c \"ctr tasks ls | grep -q '$c .*STOPPED'\"; ctr tasks rm $c; s=$?; ctr containers rm $c; exit $s" },
  { name: "task: kill of an exec", run: "sleeping; (ctr tasks exec --exec-id a $c sleep 500; echo $? >$dir/killed) & until_true sh -c \"test \\$(ctr tasks ps $c | grep -c '^[0-9]') = 2\"; ctr tasks kill -s KILL --exec-id a $c; wait; cat $dir/killed; gone", output: "137" },
  { name: "task: pause, resume", run: "sleeping; ctr tasks pause $c; ctr tasks ls | awk -v c=$c '$1 == c { print $3 }'; ctr tasks resume $c; ctr tasks ls | awk -v c=$c '$1 == c { print $3 }'; gone", output: "PAUSED\nRUNNING" },
  { name: "task: rm -f while paused", run: "sleeping; ctr tasks pause $c; ctr tasks rm -f $c; ctr containers rm $c" },
  { name: "task: metrics", run: "sleeping --memory-limit 67108864; ctr tasks metrics $c | grep -c memory; gone", output: SAME },
  { name: "task: update", run: `sleeping --memory-limit 67108864; update '{"memory":{"limit":100663296,"swap":201326592},"pids":{"limit":44},"cpu":{"shares":512}}'
cd /sys/fs/cgroup; cat memory/$(group)/memory.limit_in_bytes pids/$(group)/pids.max cpu/$(group)/cpu.shares $(group)/memory.max $(group)/pids.max 2>/dev/null; gone`, output: SAME },
  { name: "task: update that fails", run: `sleeping; update '{"cpu":{"cpus":"4000"}}' 2>&1; s=$?; gone; exit $s`, status: 1 },
  { name: "task: delete of what runs", run: "sleeping; ctr tasks rm $c 2>/dev/null; s=$?; gone; exit $s", status: 1 },
  { name: "task: delete with force", run: "sleeping; ctr tasks rm -f $c; ctr containers rm $c; ctr tasks ls | grep -c $c; true", output: "0" },
  { name: "task: runtime's process is gone before its container", run: "sleeping --pid-file $dir/pid; kill -9 $(cat $dir/pid); until_true sh -c \"ctr tasks ls | grep -q '$c .*STOPPED'\"; ctr tasks rm $c 2>&1; ctr containers rm $c", output: /137/ },
  { name: "task: two at once", run: "sleeping; ctr run $given -d $image $c-b sleep 1000; ctr tasks ls | grep -c \"$c.*RUNNING\"; ctr tasks rm -f $c-b; ctr containers rm $c-b; gone", output: "2" },
  { name: "task: 50 at once", slow: true, run: "for i in $(seq 50); do ctr run $given -d $image $c-$i sleep 1000 & done; wait; ctr tasks ls | grep -c \"$c-.*RUNNING\"; for i in $(seq 50); do ctr tasks rm -f $c-$i; ctr containers rm $c-$i; done", output: "50" },
  ...checkpointCases([
    { name: "checkpoint: leave running", run: `ctr run $given -d $image $c sh -c '${countInto("/tmp")}'; sleep 0.5; ctr containers checkpoint --task --rw $c saved-$c; a=$(ctr tasks exec --exec-id a $c sh -c 'cat /tmp/n; sleep 0.2'); sleep 0.3; goes_on $a $(ctr tasks exec --exec-id b $c sh -c 'cat /tmp/n; sleep 0.2'); gone`, output: "went on" },
    { name: "checkpoint: restore", run: `ctr run $given -d $image $c sh -c '${countInto("/tmp")}'; sleep 0.5; ctr containers checkpoint --task --rw $c saved-$c; gone 2>/dev/null; ctr containers restore --rw --live $c-b saved-$c; a=$(ctr tasks exec --exec-id a $c-b sh -c 'cat /tmp/n; sleep 0.2'); sleep 0.3; goes_on $a $(ctr tasks exec --exec-id b $c-b sh -c 'cat /tmp/n; sleep 0.2'); discard $c-b`, output: "went on" },
    openConnection("checkpoint: open connection", `ctr run $given -d --mount type=bind,src=${TOOLS},dst=/tools,options=rbind:ro $image $c /tools/checkpointed both 80 /tmp/answers; sleep 0.3; answers() { ctr tasks exec --exec-id $1 $2 sh -c 'wc -l </tmp/answers; sleep 0.2'; }
ctr containers checkpoint --task --rw $c saved-$c 2>/dev/null || echo refused; open_connections; ctr containers checkpoint --task --rw $c open-$c; gone 2>/dev/null; ctr containers restore --rw --live $c-b open-$c; a=$(answers a $c-b); sleep 0.3; goes_on $a $(answers b $c-b); no_open_connections; discard $c-b`, "refused\nwent on"),
  ]),
  { name: "containerd: restart while a container runs", run: "sleeping; kill $(cat /run/containerd.pid); sleep 0.5; serve; ctr tasks ls | awk -v c=$c '$1 == c { print $3 }'; ctr tasks exec --exec-id a $c sh -c 'echo hello; sleep 0.2'; gone", output: "RUNNING\nhello" },
  { name: "containerd: killed with 20 containers, which write, have terminals, end meanwhile", run: `for m in 1 2 3 4 5; do
    ctr run -d $given --log-uri file://$dir/$c-$m.log $image $c-writes$m sh -c 'for i in $(seq 80); do echo $i; sleep 0.05; done; exit 7'
    ctr run -d $given $image $c-ends$m sh -c "sleep 2; exit $m"
    script -qec "ctr run -d -t $given $image $c-tty$m sleep 1000" /dev/null </dev/null >/dev/null
    ctr run -d $given $image $c-stays$m sleep 1000
done
kill -9 $(cat /run/containerd.pid); sleep 3; serve
for m in 1 2 3 4 5; do
    for kind in writes ends; do until_true sh -c "ctr tasks ls | grep -q '$c-$kind$m .*STOPPED'"; echo $kind $(ctr tasks rm $c-$kind$m 2>&1 | grep -o 'code [0-9]*'); done
    seq 80 | cmp - $dir/$c-$m.log
    ctr tasks ls | grep -c "$c-[ts][a-z]*$m .*RUNNING"
    ctr tasks exec --exec-id a $c-tty$m echo hello
    for kind in tty stays; do ctr tasks rm -f $c-$kind$m >/dev/null 2>&1; done
    for kind in writes ends tty stays; do ctr containers rm $c-$kind$m; done
done`, output: [1, 2, 3, 4, 5].map((n) => `writes code 7\nends code ${n}\n2\nhello`).join("\n") },
  { name: "containerd: shim is killed", run: "sleeping; kill -9 $(ps -eo pid,args | awk -v c=\"-id $c \" '/containerd-shim/ && index($0, c) && !/awk/ { print $1 }'); until_true sh -c \"! ctr tasks ls | grep -q '$c .*RUNNING'\"; ctr tasks rm -f $c >/dev/null 2>&1; ctr containers rm $c; ps -eo args | grep -c '^[s]leep 1000'; true", output: "0" },
  { name: "left: no state or cgroup", run: "for x in $(ctr tasks ls -q); do ctr tasks rm -f $x; done; ls /run/containerd/runc/$mark | grep -v ^@; find /sys/fs/cgroup -path \"*/$mark*/*\" -type d 2>/dev/null | wc -l", output: "0" },
];

/** The runtime as runc's shim calls it. */
const BY_RUNC_SHIM = `given="--runc-binary $runtime --runtime io.containerd.runc.v2"
`;
/** containerd's way to name a container's cgroup, below $mark. */
const GROUP = `group() { echo $mark/$c; }
`;
/** With systemd, which makes a scope in a slice; ctr has to be told its name. */
const GROUP_SYSTEMD = `group() { echo $mark.slice/ctr-$c.scope; }
ctr() {
    if [ "$1" != run ]; then command ctr "$@"; return; fi
    shift
    for word in "$@"; do case $word in "$c" | "$c"-* | first) id=$word ;; esac; done
    command ctr run --runc-systemd-cgroup --cgroup $mark.slice:ctr:$id "$@"
}
`;
/** reg as the shim that it brings along, found in containerd's PATH. */
const BY_OWN_SHIM = `PATH=${dirname(SHIM)}:$PATH given="--runtime io.containerd.reg.v2"
`;

/** The same in the place of runc's, as ctr gives options, such as systemd's cgroups, to no other type of runtime. */
const BY_OWN_SHIM_AS_RUNCS = `mkdir -p $dir/shims
printf '#!/bin/sh\\nexec ${SHIM} "$@"\\n' >$dir/shims/containerd-shim-runc-v2
chmod +x $dir/shims/containerd-shim-runc-v2
PATH=$dir/shims:$PATH given="--runtime io.containerd.runc.v2"
`;

export const containerd: Caller = {
  name: "containerd",
  needs: [
    root,
    mounting,
    program("containerd"),
    program("ctr"),
    program("containerd-shim-runc-v2"),
    program("busybox"),
    program("script"),
  ],
  version: ["containerd", "--version"],
  configure: (place) => `${configureContainerd(place)}${FUNCTIONS}${GROUP}${BY_RUNC_SHIM}`,
  start: "serve && ctr images import --no-unpack $archive >/dev/null && ctr run $given --rm $image first true",
  cases: CASES,
};

/**
 * ctr never says that its own input has ended when it notices that before it has the answer to Create. With runc's shim that is left to chance, so with it
 * the input lasts longer, see above.
 */
const ENDED_INPUT: Case = { name: "run: stdin, which has ended", run: "echo words | run --rm -- cat", output: "words" };

/** The same list with reg's own shim, and what only that has to pass; the peers have none, and are called as before. */
export const containerdShim: Caller = {
  ...containerd,
  name: "containerd-shim",
  cases: [ENDED_INPUT, ...CASES],
  needs: [...containerd.needs, need(SHIM, existsSync(SHIM))],
  configure: (place) =>
    `${configureContainerd(place)}${FUNCTIONS}${GROUP}${place.runtime.kind === "reg" ? BY_OWN_SHIM : BY_RUNC_SHIM}`,
};

/** Both with systemd making the cgroups. */
export const containerdSystemd: Caller = {
  ...containerd,
  name: "containerd-systemd",
  underSystemd: { cgroupManager: "systemd" },
  configure: (place) => `${configureContainerd(place)}${FUNCTIONS}${GROUP_SYSTEMD}${BY_RUNC_SHIM}`,
};
export const containerdShimSystemd: Caller = {
  ...containerdShim,
  name: "containerd-shim-systemd",
  cases: peersBefore(containerdShim.cases),
  underSystemd: { cgroupManager: "systemd" },
  configure: (place) =>
    `${configureContainerd(place)}${FUNCTIONS}${GROUP_SYSTEMD}${place.runtime.kind === "reg" ? BY_OWN_SHIM_AS_RUNCS : BY_RUNC_SHIM}`,
};
