/** Podman with conmon: the commands of its manual that end up in the runtime. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { TOOLS } from "../paths.ts";
import { mounting, program, root } from "../testing.ts";
import { type Caller, type Case, IMAGE, type Place, SAME } from "./caller.ts";
import { COUNT, CRIU_PROLOGUE, checkpointCases, countInto, GOES_ON } from "./checkpoint.ts";
import { SETTLE } from "./containerd.ts";

/** Configuration shared with buildah, whose storage is of the same kind. */
export function configureStorage({ folder, runtime, mark, archive, rootfs, cgroupManager, user }: Place): string {
  const state = user === undefined ? "/run" : `/run/user/${user.id}`;
  const parent = cgroupManager === "systemd" ? `${mark}.slice` : `/${mark}`;
  // Hard limits above ours can not be set without CAP_SYS_RESOURCE; networks are not what is tested here.
  writeFileSync(
    join(folder, "containers.conf"),
    `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=10000:10000"]
netns = "none"
log_driver = "k8s-file"
[engine]
runtime = "${runtime.kind}"
runtime_supports_json = ["crun", "runc", "reg"]
runtime_supports_nocgroup = ["crun", "reg"]
cgroup_manager = "${cgroupManager}"
events_logger = "file"
lock_type = "file"
volume_path = "${folder}/volumes"
tmp_dir = "${state}/libpod"
[engine.runtimes]
${runtime.kind} = ["${runtime.path}"]
`,
  );
  writeFileSync(
    join(folder, "storage.conf"),
    `[storage]\ndriver = "overlay"\ngraphroot = "${folder}/storage"\nrunroot = "${state}/containers/storage"\n`,
  );
  writeFileSync(join(folder, "policy.json"), '{ "default": [{ "type": "insecureAcceptAnything" }] }');
  writeFileSync(join(folder, "registries.conf"), "unqualified-search-registries = []\n");
  if (user !== undefined) execFileSync("chown", ["-R", `${user.id}:${user.id}`, folder]);
  return `
export CONTAINERS_CONF=${folder}/containers.conf CONTAINERS_STORAGE_CONF=${folder}/storage.conf CONTAINERS_REGISTRIES_CONF=${folder}/registries.conf
export XDG_RUNTIME_DIR=${state} TMPDIR=/tmp
parent=${user === undefined ? `--cgroup-parent=${parent}` : ""} build_parent=${cgroupManager === "systemd" ? "" : "--cgroup-parent=/$mark/$c"}
image=${IMAGE} mark=${mark} runtime=${runtime.path} kind=${runtime.kind} dir=${folder} rootfs=${rootfs} archive=${archive}
run() { podman run $parent "$@"; }
create() { podman create $parent "$@"; }
# until COMMAND...: waits for its success.
until_true() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 100 ] || return 1; sleep 0.05; done; }
# What a container's processes may leave behind: processes, descriptors of its init and of conmon, state, temporary files, cgroups.
traces() {
    ls -d /proc/[0-9]* | wc -l
    for p in $(podman inspect --format '{{.State.Pid}} {{.State.ConmonPid}}' target); do ls /proc/$p/fd | wc -l; done
    find $XDG_RUNTIME_DIR/$kind /dev/shm /run/containers $dir/storage/overlay-containers -not -name '*.lock' | wc -l
    cgroups_left | wc -l
}
cgroups_left() { find /sys/fs/cgroup ${user === undefined ? `-path "*/$mark*/*" ! -name conmon` : `-path "*/user-${user.id}.slice/*" -name 'libpod-*'`} -type d 2>/dev/null; }
${CRIU_PROLOGUE}${GOES_ON}last() { podman logs $1 | tail -n 1 | tr -d '\\r'; }
counting() { run --detach --name $c "$@" $image sh -c ${COUNT} >/dev/null; sleep 0.5; }
${SETTLE}sleeping() { run --detach --name $c "$@" $image sleep 1000 >/dev/null; }
`;
}

/** Lines that are told of the container's init. */
const status = (field: string) => `awk '/^${field}:/ { print $2 }' /proc/self/status`;

// biome-ignore format: one case, one line
const RUN: readonly Case[] = [
  { name: "run: output", run: "run --rm $image echo hello", output: "hello" },
  { name: "run: the image's command and environment", run: "echo 'echo $FROM_IMAGE' | run --rm -i $image", output: "yes" },
  { name: "run: stderr is kept apart", run: "run --rm $image sh -c 'echo a; echo b >&2' 2>/dev/null", output: "a" },
  { name: "run: exit status 3", run: "run --rm $image sh -c 'exit 3'", status: 3 },
  { name: "run: exit status of a signal", run: "run --rm --pid host $image sh -c 'kill -9 $$'", status: 137 },
  { name: "run: program not found", run: "run --rm $image nowhere", status: 127 },
  { name: "run: path not found", run: "run --rm $image /no/where", status: 127 },
  { name: "run: not executable", run: "run --rm $image /etc/passwd", status: 126 },
  { name: "run: a folder", run: "run --rm $image /etc", status: 126 },
  { name: "run: working directory that is a file", run: "run --rm -w /etc/passwd $image true", status: 126 },
  { name: "run: stdin", run: "echo words | run --rm -i $image cat", output: "words" },
  { name: "run: a megabyte through stdin", run: "head -c 1000000 /dev/zero | run --rm -i $image wc -c", output: "1000000" },
  { name: "run: descriptor 3", run: "echo words >$dir/3; run --rm --preserve-fds 1 $image cat /proc/self/fd/3 3<$dir/3", output: "words" },
  { name: "run: tty", run: "run --rm -t $image tty", output: /^\/dev\/(pts\/0|console)$/ },
  { name: "run: output through the tty", run: "run --rm -t $image sh -c 'echo hello; test -t 0 && test -t 2'", output: "hello" },
  { name: "run: size of the tty", run: "script -qec 'stty rows 33 cols 77; podman run '$parent' --rm -it '$image' sh -c \"sleep 0.5; stty size\"' /dev/null", output: /33 77/ },
  { name: "run: environment", run: "run --rm -e NAME=value $image sh -c 'echo $NAME'", output: "value" },
  { name: "run: user by name", run: "run --rm -u someone $image sh -c 'id -u; id -g; id -G; echo $HOME'", output: "1000\n1000\n1000 2000\n/home/someone" },
  { name: "run: user and group by number", run: "run --rm -u 7:8 $image sh -c 'id -u; id -g'", output: "7\n8" },
  { name: "run: additional group", run: "run --rm --group-add 99 -u 7 $image id -G", output: /\b99\b/ },
  { name: "run: umask", run: "run --rm --umask 0077 $image sh -c umask", output: "0077" },
  { name: "run: working directory", run: "run --rm -w /home/someone $image pwd", output: "/home/someone" },
  { name: "run: no such working directory", run: "run --rm -w /no/where $image pwd", status: 126 },
  { name: "run: host name", run: "run --rm --hostname web1 $image hostname", output: "web1" },
  { name: "run: entry point", run: "run --rm --entrypoint '[\"echo\",\"a\"]' $image b", output: "a b" },
  { name: "run: root filesystem from a folder", run: "cp -a $rootfs $dir/rootfs; run --rm --rootfs $dir/rootfs echo hello", output: "hello" },
  { name: "run: pid file", run: "run -d --pidfile $dir/pid --name $c $image sleep 1000 >/dev/null && readlink /proc/$(cat $dir/pid)/exe; podman rm -ft0 $c >/dev/null", output: /busybox/ },
  { name: "run: time limit", run: "run --rm --timeout 1 $image sleep 1000", status: 255 },
  { name: "run: hook", run: `mkdir -p $dir/hooks; printf '#!/bin/sh\\ncat >'$dir/hooked'\\n' >$dir/hook; chmod +x $dir/hook
echo '{"version":"1.0.0","hook":{"path":"'$dir/hook'"},"when":{"always":true},"stages":["prestart"]}' >$dir/hooks/h.json
podman --hooks-dir $dir/hooks run $parent --rm $image true && grep -o '"status": *"creat[a-z]*"' $dir/hooked | tr -d ' '`, output: /"status":"creat(ed|ing)"/ },
];

// biome-ignore format: one case, one line
const CHECKPOINTS: readonly Case[] = checkpointCases([
  { name: "checkpoint: restore", run: "counting; podman container checkpoint $c >/dev/null; podman inspect --format '{{.State.Checkpointed}}' $c; a=$(last $c); podman container restore $c >/dev/null; sleep 0.5; goes_on $a $(last $c); podman rm -ft0 $c >/dev/null", output: "true\nwent on" },
  { name: "checkpoint: leave running", run: "counting; podman container checkpoint --leave-running $c >/dev/null; a=$(last $c); sleep 0.5; goes_on $a $(last $c); podman rm -ft0 $c >/dev/null", output: "went on" },
  { name: "checkpoint: exec in what was restored", run: "counting; podman container checkpoint $c >/dev/null && podman container restore $c >/dev/null && podman exec $c echo hello; podman rm -ft0 $c >/dev/null", output: "hello" },
  { name: "checkpoint: export, import under another name", run: "counting; podman exec $c touch /written; podman container checkpoint --export $dir/$c.tar.gz $c >/dev/null; a=$(last $c); podman container restore --import $dir/$c.tar.gz --name $c-b >/dev/null; sleep 0.5; goes_on $a $(last $c-b); podman exec $c-b ls /written; podman rm -ft0 $c $c-b >/dev/null", output: "went on\n/written" },
  { name: "checkpoint: export, import with a volume", run: `run -d --name $c -v vol-$c:/data $image sh -c '${countInto("/data")}' >/dev/null; sleep 0.5; podman container checkpoint --export $dir/$c.tar.gz $c >/dev/null; podman rm $c >/dev/null; podman volume rm vol-$c >/dev/null; podman container restore --import $dir/$c.tar.gz >/dev/null; a=$(podman exec $c cat /data/n); sleep 0.3; goes_on $a $(podman exec $c cat /data/n); podman rm -ft0 $c >/dev/null; podman volume rm vol-$c >/dev/null`, output: "went on" },
  { name: "checkpoint: keep", run: "counting; podman container checkpoint --keep $c >/dev/null && podman container restore --keep $c >/dev/null && ls $dir/storage/overlay-containers/$(podman inspect --format '{{.Id}}' $c)/userdata | grep -E '^(dump|restore).log'; podman rm -ft0 $c >/dev/null", output: "dump.log\nrestore.log" },
  { name: "checkpoint: tty", run: "counting -t; podman container checkpoint $c >/dev/null; a=$(last $c); podman container restore $c >/dev/null; sleep 0.5; goes_on $a $(last $c); podman rm -ft0 $c >/dev/null", output: "went on" },
  { name: "checkpoint: open connection", run: `run -d --name $c -v ${TOOLS}:/tools:ro $image /tools/checkpointed both 80 /tmp/answers >/dev/null; sleep 0.5; podman container checkpoint $c 2>/dev/null || echo refused
podman container checkpoint --tcp-established $c >/dev/null && podman container restore --tcp-established $c >/dev/null; a=$(podman exec $c cat /tmp/answers | wc -l); sleep 0.3; goes_on $a $(podman exec $c cat /tmp/answers | wc -l); podman rm -ft0 $c >/dev/null`, output: "refused\nwent on" },
]);

// biome-ignore format: one case, one line
const LIMITS: readonly Case[] = [
  { name: "limit: memory", run: "run --rm -m 64m $image sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'", output: "67108864" },
  { name: "limit: memory is enforced", run: "run --rm -m 16m --memory-swap 16m $image sh -c 'tail /dev/zero; exit $?'", status: 137 },
  { name: "limit: killed for memory", run: "run --name $c -m 16m --memory-swap 16m $image tail /dev/zero; podman inspect --format '{{.State.ExitCode}}' $c; podman rm $c >/dev/null", output: "137" },
  { name: "limit: memory reservation", run: "run --rm --memory-reservation 32m $image sh -c 'cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes /sys/fs/cgroup/memory.low 2>/dev/null; true'", output: "33554432" },
  { name: "limit: pids", run: "run --rm --pids-limit 33 $image sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true'", output: "33" },
  { name: "limit: cpus", run: "run --rm --cpus 0.5 $image sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; true'", output: /^50000( 100000)?$/ },
  { name: "limit: cpu shares", run: "run --rm --cpu-shares 512 $image sh -c 'cat /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu.weight 2>/dev/null; true'", output: SAME },
  { name: "limit: cpuset", run: "run --rm --cpuset-cpus 0 $image awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status", output: "0" },
  { name: "limit: block weight", run: "run --rm --blkio-weight 200 $image sh -c 'cat /sys/fs/cgroup/blkio/blkio.weight /sys/fs/cgroup/blkio/blkio.bfq.weight 2>/dev/null; true'; true", output: SAME },
  { name: "limit: descriptors", run: "run --rm --ulimit nofile=64:100 --ulimit nproc=1000:1000 $image sh -c 'ulimit -Sn; ulimit -Hn'", output: "64\n100" },
  { name: "limit: oom score", run: "run --rm --oom-score-adj 100 $image cat /proc/self/oom_score_adj", output: "100" },
  { name: "limit: cgroup of the parent asked for", run: "run --rm $image grep -E 'memory|^0:' /proc/self/cgroup | tail -n 1", output: SAME },
  { name: "limit: no cgroup", run: "podman run --rm --cgroups=disabled $image echo hello", output: "hello", skip: { runc: "needs --cgroup-manager" } },
];

// biome-ignore format: one case, one line
const MOUNTS: readonly Case[] = [
  { name: "mount: read-only root", run: "run --rm --read-only $image touch /x", status: 1 },
  { name: "mount: writable /tmp with a read-only root", run: "run --rm --read-only $image sh -c 'touch /tmp/x && echo written'", output: "written" },
  { name: "mount: volume", run: "mkdir -p $dir/v1; echo words >$dir/v1/file; run --rm -v $dir/v1:/data $image sh -c 'cat /data/file; echo back >/data/file' && cat $dir/v1/file", output: "words\nback" },
  { name: "mount: read-only volume", run: "mkdir -p $dir/v2; run --rm -v $dir/v2:/data:ro $image touch /data/x", status: 1 },
  { name: "mount: one file", run: "echo words >$dir/f1; run --rm -v $dir/f1:/etc/one:ro $image cat /etc/one", output: "words" },
  { name: "mount: volume with a name", run: "run --rm -v name-$c:/home $image sh -c 'ls /home; touch /home/x' && run --rm -v name-$c:/home $image ls /home", output: "someone\nsomeone\nx" },
  { name: "mount: volume options", run: "mkdir -p $dir/v3; run --rm -v $dir/v3:/data:nodev,nosuid,noexec $image awk '$2 == \"/data\" { print $4 }' /proc/mounts", output: /nosuid,nodev,noexec/ },
  { name: "mount: propagation", run: "mkdir -p $dir/v4; run --rm -v $dir/v4:/data:rslave $image sh -c 'grep -c \" /data .* master:\" /proc/self/mountinfo'; true", output: SAME },
  { name: "mount: tmpfs", run: "run --rm --tmpfs /scratch:size=1m,mode=700 $image sh -c 'awk \"\\$2 == \\\"/scratch\\\" { print \\$3 }\" /proc/mounts; stat -c %a /scratch'", output: "tmpfs\n700" },
  { name: "mount: size of /dev/shm", run: "run --rm --shm-size 2m $image sh -c 'df -k /dev/shm | awk \"NR == 2 { print \\$2 }\"'", output: "2048" },
  { name: "mount: list is that of the peers", run: "run --rm $image awk '{ print $2, $3 }' /proc/mounts | grep -v unified | sort", output: SAME },
  { name: "mount: image", run: "run --rm --mount type=image,src=$image,dst=/other $image cat /other/etc/group", output: /extra/ },
];

// biome-ignore format: one case, one line
const SECURITY: readonly Case[] = [
  { name: "security: default capabilities", run: `run --rm $image ${status("CapEff")}`, output: SAME },
  { name: "security: capabilities of a user", run: `run --rm -u someone --cap-add net_raw $image sh -c "awk '/^Cap/ { print \\$1, \\$2 }' /proc/self/status"`, output: SAME },
  { name: "security: drop all capabilities", run: `run --rm --cap-drop all $image ${status("CapBnd")}`, output: /^0+$/ },
  { name: "security: add one capability", run: `run --rm --cap-drop all --cap-add chown $image ${status("CapEff")}`, output: /^0+1$/ },
  { name: "security: privileged", run: `run --rm --privileged $image sh -c "awk '/^Cap/ { print \\$1, \\$2 }' /proc/self/status"`, output: SAME },
  { name: "security: privileged sees devices", run: "run --rm --privileged $image sh -c 'ls /dev | sort'", output: SAME },
  { name: "security: seccomp default", run: `run --rm $image ${status("Seccomp")}`, output: "2" },
  { name: "security: seccomp unconfined", run: `run --rm --security-opt seccomp=unconfined $image ${status("Seccomp")}`, output: "0" },
  { name: "security: seccomp profile", run: `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}' >$dir/p.json
run --rm --security-opt seccomp=$dir/p.json $image sh -c 'mkdir /x 2>&1; rmdir /x 2>/dev/null; true'`, output: /No space left on device/ },
  { name: "security: no new privileges", run: `run --rm --security-opt no-new-privileges $image ${status("NoNewPrivs")}`, output: "1" },
  { name: "security: masked paths", run: "run --rm $image sh -c 'head -c 1 /proc/kcore | wc -c; ls /proc/scsi /sys/firmware 2>/dev/null | grep -v : | grep -c .'; true", output: SAME },
  { name: "security: read-only paths", run: "run --rm $image sh -c 'echo 1 >/proc/sys/kernel/panic'", status: 1 },
  { name: "security: paths unmasked", run: "run --rm --security-opt unmask=all $image sh -c 'grep -c \"/proc/\" /proc/mounts'; true", output: SAME },
  { name: "security: id map", run: "run --rm --uidmap 0:100000:5000 --gidmap 0:100000:5000 $image sh -c 'cat /proc/self/uid_map; touch /x; stat -c %u /x' | tr -s ' '", output: /0 100000 5000\n0$/ },
  { name: "security: id map and a user", run: "run --rm --uidmap 0:100000:5000 --gidmap 0:100000:5000 -u someone $image id -u", output: "1000" },
  { name: "security: id map and a volume", run: "mkdir -p $dir/v5; chown 101000 $dir/v5; run --rm --uidmap 0:100000:5000 -v $dir/v5:/data -u someone $image sh -c 'touch /data/x && stat -c %u /data/x'", output: "1000" },
  { name: "security: sysctl", run: "run --rm --sysctl kernel.msgmax=9000 $image cat /proc/sys/kernel/msgmax", output: "9000" },
  { name: "security: device", run: "run --rm --device /dev/zero:/dev/other $image sh -c 'head -c 4 /dev/other | wc -c'", output: "4" },
  { name: "security: device that may only be read", run: "run --rm --device /dev/kmsg:/dev/other:r $image sh -c ': >/dev/other'", status: 1 },
  { name: "security: devices that are not asked for", run: "run --rm --cap-add mknod $image sh -c 'mknod /tmp/kmsg c 1 11; head -c 0 </tmp/kmsg'", status: 1 },
  { name: "security: default devices", run: "run --rm $image sh -c 'cd /dev; for x in *; do stat -c \"%n %F %a %t:%T\" $x; done | grep -v pts/'", output: SAME },
];

// biome-ignore format: one case, one line
const NAMESPACES: readonly Case[] = [
  { name: "namespace: processes of its own", run: "run --rm $image sh -c 'echo $$'", output: "1" },
  { name: "namespace: processes of the host", run: "run --rm --pid host $image sh -c 'test $$ -gt 1'" },
  { name: "namespace: kill of a container in the host's processes", run: "run -d --name $c --pid host $image sh -c 'sleep 1000 & sleep 1000' >/dev/null; podman kill $c >/dev/null; podman wait $c; podman rm $c >/dev/null", output: "137" },
  { name: "namespace: host name of the host", run: "test \"$(run --rm --uts host $image hostname)\" = \"$(hostname)\"" },
  { name: "namespace: processes of another container", run: "sleeping; run --rm --pid container:$c $image sh -c 'ps | grep -c \"[s]leep 1000\"'; podman rm -ft0 $c >/dev/null", output: "1" },
  { name: "namespace: ipc of another container", run: "sleeping --ipc shareable; run --rm --ipc container:$c $image echo hello; podman rm -ft0 $c >/dev/null", output: "hello" },
  { name: "namespace: network without interfaces", run: "run --rm $image sh -c 'ls /sys/class/net'", output: SAME },
  { name: "namespace: network of the host", run: "run --rm --net host $image sh -c 'ls /sys/class/net' >$dir/net; ls /sys/class/net | cmp - $dir/net" },
  { name: "namespace: cgroup of its own", run: "run --rm --cgroupns private $image sh -c 'grep -c -v :/$ /proc/self/cgroup; true'", output: SAME },
  { name: "namespace: pod", run: "podman pod create --infra=false --name p-$c $parent >/dev/null && podman run --rm --pod p-$c $image echo hello; podman pod rm -f p-$c >/dev/null", output: "hello" },
];

// biome-ignore format: one case, one line
const EXEC: readonly Case[] = [
  { name: "exec: output", run: "podman exec target echo hello", output: "hello" },
  { name: "exec: exit status 5", run: "podman exec target sh -c 'exit 5'", status: 5 },
  { name: "exec: exit status of a signal", run: "podman exec target sh -c 'kill -9 $$'", status: 137 },
  { name: "exec: program not found", run: "podman exec target nowhere", status: 127 },
  { name: "exec: not executable", run: "podman exec target /etc/passwd", status: 126 },
  { name: "exec: no such working directory", run: "podman exec -w /no/where target true", status: 127 },
  { name: "exec: user", run: "podman exec -u someone target sh -c 'id -u; id -G'", output: "1000\n1000 2000" },
  { name: "exec: environment", run: "podman exec -e NAME=value target sh -c 'echo $NAME $FROM_IMAGE'", output: "value yes" },
  { name: "exec: working directory", run: "podman exec -w /tmp target pwd", output: "/tmp" },
  { name: "exec: stdin", run: "echo words | podman exec -i target cat", output: "words" },
  { name: "exec: tty", run: "podman exec -t target sh -c 'tty; test -t 0'", output: /^\/dev\/pts\/\d+$/ },
  { name: "exec: detach", run: "podman exec -d target sh -c 'echo here >/tmp/detached' >/dev/null && until_true podman exec target test -s /tmp/detached && podman exec target cat /tmp/detached", output: "here" },
  { name: "exec: capabilities", run: `podman exec target sh -c "awk '/^Cap/ { print \\$1, \\$2 }' /proc/self/status"`, output: SAME },
  { name: "exec: privileged", run: `podman exec --privileged target ${status("CapEff")}`, output: SAME },
  { name: "exec: seccomp", run: `podman exec target ${status("Seccomp")}`, output: "2" },
  { name: "exec: in the container's cgroup", run: "podman exec target cmp /proc/1/cgroup /proc/self/cgroup" },
  { name: "exec: descriptor 3", run: "echo words >$dir/3; podman exec --preserve-fds 1 target cat /proc/self/fd/3 3<$dir/3", output: "words" },
  { name: "exec: container with an id map", run: "sleeping --uidmap 0:100000:5000; podman exec -u someone $c sh -c 'id -u; cat /proc/self/uid_map' | tr -s ' '; podman rm -ft0 $c >/dev/null", output: "1000\n 0 100000 5000" },
  { name: "exec: read-only container", run: "sleeping --read-only; podman exec $c touch /x; s=$?; podman rm -ft0 $c >/dev/null; exit $s", status: 1 },
  { name: "exec: container that is stopped", run: "create --name $c $image true >/dev/null; podman exec $c true; s=$?; podman rm $c >/dev/null; exit $s", status: 255 },
  { name: "exec: 20 at once", run: "for i in $(seq 20); do (podman exec target sh -c \"exit $i\"; echo $i $?) & done >$dir/many; wait; awk '$1 != $2 { bad++ } END { print NR, bad + 0 }' $dir/many", output: "20 0" },
  { name: "exec: 200, 20 at a time, nothing left", slow: true, run: `podman exec target true; sleep 2; before=$(traces)
for j in $(seq 10); do for i in $(seq 20); do (podman exec target sh -c "exit $i"; echo $i $?) & done; wait; done >$dir/many
awk '$1 != $2 { bad++ } END { print NR, bad + 0 }' $dir/many; podman exec target ps | grep -c 'sh -c exit'
settle "$before"`, output: "200 0\n0\nnothing" },
];

// biome-ignore format: one case, one line
const LIFE: readonly Case[] = [
  { name: "life: detach, logs, wait", run: "run -d --name $c $image sh -c 'echo said; exit 4' >/dev/null; podman wait $c; podman logs $c; podman rm $c >/dev/null", output: "4\nsaid" },
  { name: "life: create, start", run: "create --name $c $image echo hello >/dev/null && podman start -a $c; podman rm $c >/dev/null", output: "hello" },
  { name: "life: init, start", run: "create --name $c $image echo hello >/dev/null; podman init $c >/dev/null; podman inspect --format '{{.State.Status}}' $c; podman start -a $c; podman rm $c >/dev/null", output: "initialized\nhello" },
  { name: "life: init, rm", run: "create --name $c $image sleep 1000 >/dev/null; podman init $c >/dev/null; podman rm $c >/dev/null" },
  { name: "life: init, start of what is not there", run: "create --name $c $image nowhere >/dev/null; podman start $c >/dev/null 2>&1; s=$?; podman rm -f $c >/dev/null; exit $s", status: 125 },
  { name: "life: attach", run: "run -d -i --name $c $image sh -c 'sleep 1; echo late' >/dev/null; podman attach --no-stdin $c; podman rm $c >/dev/null", output: "late" },
  { name: "life: create, start with stdin attached", run: "create -i --name $c $image cat >/dev/null; echo words | podman start -ai $c; podman rm $c >/dev/null", output: "words" },
  { name: "life: attach with stdin", run: "run -d -i --name $c $image sh -c 'read line; echo got $line' >/dev/null; echo words | podman attach $c; podman rm -ft0 $c >/dev/null", output: "got words" },
  { name: "life: logs that are followed", run: "run -d --name $c $image sh -c 'echo one; sleep 1; echo two' >/dev/null; podman logs -f $c; podman rm -ft0 $c >/dev/null", output: "one\ntwo" },
  { name: "life: ps", run: "podman ps --filter name=target --format '{{.Names}}'", output: "target" },
  { name: "life: inspect", run: "podman inspect --format '{{.State.Status}} {{.OCIRuntime}}' target | sed s/$kind/same/", output: "running same" },
  { name: "life: top", run: "podman top target args | tail -n 1", output: "sleep 1000" },
  { name: "life: top with ps", run: "podman top target -o args | grep -c sleep", output: "1" },
  { name: "life: stats", run: "podman stats --no-stream --format '{{.Name}} {{.PIDs}}' target", output: "target 1" },
  { name: "life: pause, unpause", run: "sleeping; podman pause $c >/dev/null; podman inspect --format '{{.State.Status}}' $c; podman unpause $c >/dev/null; podman inspect --format '{{.State.Status}}' $c; podman rm -ft0 $c >/dev/null", output: "paused\nrunning" },
  { name: "life: exec while paused", run: "sleeping; podman pause $c >/dev/null; podman exec $c true; s=$?; podman unpause $c >/dev/null; podman rm -ft0 $c >/dev/null; exit $s", status: 255 },
  { name: "life: rm -f while paused", run: "sleeping; podman pause $c >/dev/null; podman rm -ft0 $c >/dev/null" },
  { name: "life: update", run: "sleeping; podman update --memory 96m --cpus 0.5 --pids-limit 44 $c >/dev/null 2>$dir/err || podman update --memory 96m --cpus 0.5 $c >/dev/null; podman exec $c sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; true'; podman rm -ft0 $c >/dev/null", output: SAME },
  { name: "life: kill", run: "sleeping; podman kill $c >/dev/null; podman wait $c; podman rm $c >/dev/null", output: "137" },
  { name: "life: kill with a signal that is handled", run: "run -d --name $c $image sh -c 'trap \"echo got; exit 9\" USR1; echo up; while :; do sleep 0.05; done' >/dev/null; until_true sh -c \"podman logs $c | grep -q up\"; podman kill -s USR1 $c >/dev/null; podman wait $c; podman logs $c; podman rm $c >/dev/null", output: "9\nup\ngot" },
  { name: "life: kill of what has ended", run: "run --name $c $image true; podman kill $c; s=$?; podman rm $c >/dev/null; exit $s", status: 125 },
  { name: "life: stop", run: "run -d --name $c $image sh -c 'trap \"exit 6\" TERM; echo up; while :; do sleep 0.05; done' >/dev/null; until_true sh -c \"podman logs $c | grep -q up\"; podman stop $c >/dev/null; podman wait $c; podman rm $c >/dev/null", output: "6" },
  { name: "life: stop with another signal", run: "run -d --stop-signal INT --name $c $image sh -c 'trap \"exit 8\" INT; echo up; while :; do sleep 0.05; done' >/dev/null; until_true sh -c \"podman logs $c | grep -q up\"; podman stop $c >/dev/null; podman wait $c; podman rm $c >/dev/null", output: "8" },
  { name: "life: stop of what does not listen", run: "sleeping; podman stop -t 1 $c >/dev/null 2>&1; podman wait $c; podman rm $c >/dev/null", output: "137" },
  { name: "life: restart", run: "sleeping; a=$(podman inspect --format '{{.State.Pid}}' $c); podman restart -t 0 $c >/dev/null; b=$(podman inspect --format '{{.State.Pid}}' $c); test $a != $b && podman exec $c echo hello; podman rm -ft0 $c >/dev/null", output: "hello" },
  { name: "life: start again", run: "run --name $c $image sh -c 'date >>/times'; podman start -a $c; podman start -a $c; podman cp $c:/times - | tar -xO | wc -l; podman rm $c >/dev/null", output: "3" },
  { name: "life: restart on failure", run: "run --name $c --restart on-failure:2 $image sh -c 'echo x; exit 1' >/dev/null; sleep 1; podman logs $c | wc -l; podman rm -ft0 $c >/dev/null", output: "3" },
  { name: "life: rm -f", run: "sleeping; podman rm -ft0 $c >/dev/null; podman ps -a --filter name=$c --format x", output: "" },
  { name: "life: rm of what runs", run: "sleeping; podman rm $c 2>/dev/null; s=$?; podman rm -ft0 $c >/dev/null; exit $s", status: 2 },
  { name: "life: runtime's process is gone before its container", run: "sleeping; kill -9 $(podman inspect --format '{{.State.Pid}}' $c); podman wait $c; podman rm $c >/dev/null", output: "137" },
  { name: "life: health check", run: "sleeping --health-cmd 'echo fine' --health-interval disable; podman healthcheck run $c; podman rm -ft0 $c >/dev/null" },
  { name: "life: copy", run: "echo words >$dir/f2; podman cp $dir/f2 target:/tmp/f2 && podman exec target cat /tmp/f2", output: "words" },
  { name: "life: commit", run: "run --name $c $image sh -c 'echo words >/kept'; podman commit -q $c kept-$c >/dev/null; podman rm $c >/dev/null; run --rm kept-$c cat /kept", output: "words" },
  { name: "life: build", run: "mkdir -p $dir/b; printf 'FROM '$image'\\nRUN echo words >/kept && id -u\\nUSER someone\\nRUN id -u >/tmp/uid\\nCMD cat /kept /tmp/uid\\n' >$dir/b/Containerfile; podman build --isolation oci --runtime $runtime $build_parent -q -t built $dir/b >/dev/null && run --rm built", output: "words\n1000" },
  { name: "life: build that fails", run: "mkdir -p $dir/b2; printf 'FROM '$image'\\nRUN exit 7\\n' >$dir/b2/Containerfile; podman build --isolation oci --runtime $runtime $build_parent -q $dir/b2 >/dev/null", status: 7 },
  { name: "life: 10 at once", run: "for i in $(seq 10); do run -d --name $c-$i $image sh -c \"sleep 1; exit $i\" >/dev/null & done; wait; for i in $(seq 10); do podman wait $c-$i; done | sort -n | paste -sd ' '; for i in $(seq 10); do podman rm $c-$i >/dev/null; done", output: "1 2 3 4 5 6 7 8 9 10" },
  { name: "life: 50 at once", slow: true, run: "for i in $(seq 50); do run -d --name $c-$i $image sleep 1000 >/dev/null & done; wait; podman ps --filter name=$c- --format x | wc -l; podman ps -q --filter name=$c- | xargs podman rm -ft0 >/dev/null", output: "50" },
];

// biome-ignore format: one case, one line
const LEFT: readonly Case[] = [
  { name: "left: no container, state or cgroup", run: "podman rm -aft0 >/dev/null; n=0; while [ $(cgroups_left | wc -l) -gt 0 ] && [ $n -lt 20 ]; do n=$((n + 1)); sleep 0.1; done; ls $XDG_RUNTIME_DIR/$kind 2>/dev/null | grep -v ^@; cgroups_left | wc -l", output: "0" },
];

/** A pod has a cgroup of its own, which systemd makes. */
// biome-ignore format: one case, one line
const UNDER_SYSTEMD: readonly Case[] = [
  { name: "pod: containers of one pod", run: "podman pod create $parent --network none --name p-$c >/dev/null && run -d --pod p-$c --name $c $image sleep 1000 >/dev/null && podman run --rm --pod p-$c $image readlink /proc/self/ns/ipc >$dir/ipc && podman exec $c readlink /proc/self/ns/ipc | cmp - $dir/ipc && podman pod inspect --format '{{.NumContainers}}' p-$c; podman pod rm -ft0 p-$c >/dev/null", output: "2" },
  { name: "pod: its cgroup is around that of its containers", run: "podman pod create $parent --network none --name p-$c >/dev/null && podman run -d --pod p-$c --name $c $image sleep 1000 >/dev/null && podman inspect --format '{{.State.CgroupPath}}' $c | grep -c libpod_pod; podman pod rm -ft0 p-$c >/dev/null", output: "1" },
  { name: "pod: memory limit", run: "podman pod create $parent --network none --memory 100m --name p-$c >/dev/null && podman run -d --pod p-$c --name $c $image sleep 1000 >/dev/null && cat /sys/fs/cgroup$(podman pod inspect --format '{{.CgroupPath}}' p-$c)/memory.max; podman pod rm -ft0 p-$c >/dev/null", output: SAME },
  { name: "pod: stop, start, pause", run: "podman pod create $parent --network none --name p-$c >/dev/null && podman run -d --pod p-$c --name $c $image sleep 1000 >/dev/null && podman pod stop -t 0 p-$c >/dev/null && podman pod start p-$c >/dev/null && podman pod pause p-$c >/dev/null; podman inspect --format '{{.State.Status}}' $c; podman pod unpause p-$c >/dev/null; podman pod rm -ft0 p-$c >/dev/null", output: "paused" },
  { name: "systemd: a container with systemd's mounts", run: "run --rm --systemd=always --entrypoint '[]' $image sh -c 'awk \"\\$2 ~ /^.(run|tmp|sys.fs.cgroup)/ { print \\$2, \\$3 }\" /proc/mounts | sort; touch /sys/fs/cgroup/x 2>/dev/null; mkdir /sys/fs/cgroup/sub && echo made'", output: SAME },
];

/** The timer starts a Podman outside of the session, which a user's systemd tells where the list keeps its containers. */
// biome-ignore format: one case, one line
const BY_USER: readonly Case[] = [
  { name: "systemd: health check by a timer", run: "systemctl --user set-environment CONTAINERS_CONF=$CONTAINERS_CONF CONTAINERS_STORAGE_CONF=$CONTAINERS_STORAGE_CONF; sleeping --health-cmd true --health-interval 1s; until_true sh -c \"podman inspect --format '{{.State.Health.Status}}' $c | grep -qx healthy\"; podman inspect --format '{{.State.Health.Status}}' $c; podman rm -ft0 $c >/dev/null", output: "healthy" },
];

export const podman: Caller = {
  name: "podman",
  needs: [root, mounting, program("podman"), program("conmon"), program("busybox")],
  version: ["podman", "--version"],
  configure: configureStorage,
  cgroups: ["libpod_parent"],
  start: "podman load -q -i $archive >/dev/null && run -d --name target $image sleep 1000 >/dev/null",
  cases: [...RUN, ...CHECKPOINTS, ...LIMITS, ...MOUNTS, ...SECURITY, ...NAMESPACES, ...EXEC, ...LIFE, ...LEFT],
};

/** With systemd making the cgroups, as on today's hosts. */
export const podmanSystemd: Caller = {
  ...podman,
  name: "podman-systemd",
  underSystemd: { cgroupManager: "systemd" },
  cases: [...UNDER_SYSTEMD, ...podman.cases],
};

/** Rootless, with the user's systemd making the cgroups, and without. */
export const podmanUser: Caller = {
  ...podman,
  name: "podman-rootless",
  needs: [...podman.needs, program("newuidmap"), program("useradd")],
  underSystemd: { cgroupManager: "systemd", byUser: true },
  cases: [...UNDER_SYSTEMD, ...BY_USER, ...podman.cases],
};
export const podmanUserCgroupfs: Caller = {
  ...podmanUser,
  name: "podman-rootless-cgroupfs",
  underSystemd: { cgroupManager: "cgroupfs", byUser: true },
};
