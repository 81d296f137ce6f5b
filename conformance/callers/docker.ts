/** Docker's engine with its own containerd: no bridge, no packet filter, a data folder of its own. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BUILD, SHIM, TOOLS } from "../paths.ts";
import { findProgram, mounting, need, program, root } from "../testing.ts";
import { type Caller, type Case, type Place, peersBefore, SAME } from "./caller.ts";
import { COUNT, checkpointCases, OPEN_CONNECTIONS, openConnection } from "./checkpoint.ts";
import { configureContainerd } from "./containerd.ts";

/** Debian's docker.io, unpacked by setup.sh, or else the installed one. A daemon that runs is not touched. */
const UNPACKED = join(BUILD, "callers/docker");
const DOCKERD = existsSync(join(UNPACKED, "usr/sbin/dockerd"))
  ? join(UNPACKED, "usr/sbin/dockerd")
  : findProgram("dockerd");

/** `shim`: reg is called by its own shim, whose name Docker takes for a runtime, instead of by runc's. */
function configure(place: Place, shim: boolean): string {
  const { folder, runtime, mark, cgroupManager } = place;
  const byName = shim && runtime.kind === "reg";
  writeFileSync(
    join(folder, "daemon.json"),
    JSON.stringify({
      "data-root": `${folder}/data`,
      "exec-root": "/run/docker-exec",
      pidfile: "/run/dockerd.pid",
      hosts: ["unix:///run/docker.sock"],
      containerd: "/run/containerd.sock",
      bridge: "none",
      iptables: false,
      "ip-forward": false,
      "cgroup-parent": cgroupManager === "systemd" ? `${mark}.slice` : `/${mark}`,
      "exec-opts": [`native.cgroupdriver=${cgroupManager}`],
      "default-ulimits": { nofile: { Name: "nofile", Soft: 1024, Hard: 1024 } },
      runtimes: { [`given-${runtime.kind}`]: { path: runtime.path } },
      "default-runtime": byName ? "io.containerd.reg.v2" : `given-${runtime.kind}`,
      init: false,
      experimental: true,
    }),
  );
  return `${configureContainerd(place)}${OPEN_CONNECTIONS}
PATH=${byName ? `${dirname(SHIM)}:` : ""}${UNPACKED}/usr/bin:${UNPACKED}/usr/sbin:$PATH
cgroup_parent=${cgroupManager === "systemd" ? `${mark}.slice` : `/${mark}`}
export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=$dir
sleeping() { docker run -d --net none --name $c "$@" $image sleep 1000 >/dev/null; }
run() { docker run --rm --net none "$@"; }
# Until the container has ended, which Docker is told of later than of the checkpoint.
ended() { until_true sh -c "docker inspect --format '{{.State.Status}}' $c | grep -qx exited" || echo runs; }
counting() { docker run -d --net none --name $c "$@" $image sh -c ${COUNT} >/dev/null; sleep 0.5; }
`;
}

// biome-ignore format: one case, one line
const CASES: readonly Case[] = [
  { name: "run: output", run: "run $image echo hello", output: "hello" },
  { name: "run: exit status 3", run: "run $image sh -c 'exit 3'", status: 3 },
  { name: "run: exit status of a signal", run: "run --pid host $image sh -c 'kill -9 $$'", status: 137 },
  { name: "run: program not found", run: "run $image nowhere", status: 127 },
  { name: "run: path not found", run: "run $image /no/where", status: 127 },
  { name: "run: not executable", run: "run $image /etc/passwd", status: 126 },
  { name: "run: stdin", run: "echo words | run -i $image cat", output: "words" },
  { name: "run: tty", run: "run -t $image tty", output: "/dev/pts/0" },
  { name: "run: environment", run: "run -e NAME=value $image sh -c 'echo $NAME $FROM_IMAGE'", output: "value yes" },
  { name: "run: user by name", run: "run -u someone $image sh -c 'id -u; id -G'", output: "1000\n1000 2000" },
  { name: "run: working directory", run: "run -w /tmp $image pwd", output: "/tmp" },
  { name: "run: host name", run: "run --hostname web1 $image hostname", output: "web1" },
  { name: "run: entry point", run: "run --entrypoint echo $image a", output: "a" },
  { name: "run: network of the host", run: "ls /sys/class/net >$dir/net; docker run --rm --net host $image ls /sys/class/net | cmp - $dir/net" },
  { name: "limit: memory", run: "run -m 64m $image sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'", output: "67108864" },
  { name: "limit: killed for memory is reported", run: "docker run --net none --name $c -m 16m --memory-swap 16m $image tail /dev/zero; docker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' $c; docker rm $c >/dev/null", output: "true 137" },
  { name: "limit: pids", run: "run --pids-limit 33 $image sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true'", output: "33" },
  { name: "limit: cpus", run: "run --cpus 0.5 $image sh -c 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; true'", output: /^50000( 100000)?$/ },
  { name: "limit: descriptors", run: "run --ulimit nofile=64:100 $image sh -c 'ulimit -Sn; ulimit -Hn'", output: "64\n100" },
  { name: "limit: cgroup", run: "run $image grep -E 'memory|^0:' /proc/self/cgroup | tail -n 1", output: SAME },
  { name: "mount: read-only root", run: "run --read-only $image touch /x", status: 1 },
  { name: "mount: volume", run: "mkdir -p $dir/v; echo words >$dir/v/file; run -v $dir/v:/data:ro $image sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo kept'", output: "words\nkept" },
  { name: "mount: volume with a name", run: "run -v name:/home $image sh -c 'touch /home/x'; run -v name:/home $image ls /home", output: "someone\nx" },
  { name: "mount: tmpfs", run: "run --tmpfs /scratch $image stat -f -c %T /scratch", output: "tmpfs" },
  { name: "mount: list is that of the peers", run: "run $image awk '{ print $2, $3 }' /proc/mounts | grep -v unified | sort", output: SAME },
  { name: "security: capabilities", run: "run $image awk '/^Cap/ { print $1, $2 }' /proc/self/status", output: SAME },
  { name: "security: drop all capabilities", run: "run --cap-drop ALL $image awk '/^CapBnd/ { print $2 }' /proc/self/status", output: /^0+$/ },
  { name: "security: privileged", run: "run --privileged $image sh -c \"awk '/^Cap/ { print \\$1, \\$2 }' /proc/self/status; ls /dev | sort\"", output: SAME },
  { name: "security: seccomp", run: "run $image awk '/^Seccomp:/ { print $2 }' /proc/self/status", output: "2" },
  { name: "security: seccomp denies", run: "run $image unshare -U true", status: 1 },
  { name: "security: seccomp unconfined", run: "run --security-opt seccomp=unconfined $image awk '/^Seccomp:/ { print $2 }' /proc/self/status", output: "0" },
  { name: "security: no new privileges", run: "run --security-opt no-new-privileges $image awk '/^NoNewPrivs/ { print $2 }' /proc/self/status", output: "1" },
  { name: "security: sysctl", run: "run --sysctl kernel.msgmax=9000 $image cat /proc/sys/kernel/msgmax", output: "9000" },
  { name: "security: device", run: "run --device /dev/zero:/dev/other $image sh -c 'head -c 4 /dev/other | wc -c'", output: "4" },
  { name: "security: device that may only be read", run: "run --device /dev/kmsg:/dev/other:r $image sh -c ': >/dev/other'", status: 1 },
  ...checkpointCases([
    { name: "checkpoint: start from it", run: `counting; docker checkpoint create $c one; a=$(docker logs $c | tail -n 1); ended; docker inspect --format '{{.State.Status}}' $c; docker start --checkpoint one $c; sleep 0.5; goes_on $a $(docker logs $c | tail -n 1); docker rm -f $c >/dev/null`, output: /^one\nexited\n(went on)$/ },
    { name: "checkpoint: start from it, in the host's network", run: `docker run -d --net host --name $c $image sh -c ${COUNT} >/dev/null; sleep 0.5; docker checkpoint create $c one >/dev/null; ended; a=$(docker logs $c | tail -n 1); docker start --checkpoint one $c; sleep 0.5; goes_on $a $(docker logs $c | tail -n 1); docker rm -f $c >/dev/null`, output: "went on" },
    { name: "checkpoint: leave running", run: "counting; docker checkpoint create --leave-running $c one; a=$(docker logs $c | tail -n 1); sleep 0.3; goes_on $a $(docker logs $c | tail -n 1); docker checkpoint ls $c | tail -n 1; docker rm -f $c >/dev/null", output: "one\nwent on\none" },
    { name: "checkpoint: tty", run: "counting -t; docker checkpoint create $c one; ended; a=$(docker logs $c | tail -n 1 | tr -d '\\r'); docker start --checkpoint one $c; sleep 0.5; goes_on $a $(docker logs $c | tail -n 1 | tr -d '\\r'); docker rm -f $c >/dev/null", output: "one\nwent on" },
    openConnection("checkpoint: open connection", `docker run -d --net none --name $c -v ${TOOLS}:/tools:ro $image /tools/checkpointed both 80 /tmp/answers >/dev/null; sleep 0.3; answers() { docker exec $c sh -c 'wc -l </tmp/answers'; }
docker checkpoint create $c one 2>/dev/null || echo refused; open_connections; docker checkpoint create $c two; ended; docker start --checkpoint two $c; a=$(answers); sleep 0.3; goes_on $a $(answers); no_open_connections; docker rm -f $c >/dev/null`, "refused\ntwo\nwent on"),
  ]),
  { name: "exec: output and exit status", run: "docker exec target echo hello; docker exec target sh -c 'exit 5'", output: "hello", status: 5 },
  { name: "exec: program not found", run: "docker exec target nowhere", status: 127 },
  { name: "exec: not executable", run: "docker exec target /etc/passwd", status: 126 },
  { name: "exec: user, environment, folder", run: "docker exec -u someone -e NAME=value -w /tmp target sh -c 'id -u; id -G; echo $NAME; pwd'", output: "1000\n1000 2000\nvalue\n/tmp" },
  { name: "exec: stdin", run: "echo words | docker exec -i target cat", output: "words" },
  { name: "exec: tty", run: "script -qec 'docker exec -t target tty' /dev/null", output: /\/dev\/pts\/\d+/ },
  { name: "exec: privileged", run: "docker exec --privileged target awk '/^CapEff/ { print $2 }' /proc/self/status", output: SAME },
  { name: "life: detach, logs, wait", run: "docker run -d --net none --name $c $image sh -c 'echo said; exit 4' >/dev/null; docker wait $c; docker logs $c; docker rm $c >/dev/null", output: "4\nsaid" },
  { name: "life: ps, top, stats", run: "docker ps --format '{{.Names}}'; docker top target | grep -c 'sleep 1000'; docker stats --no-stream --format '{{.PIDs}}' target", output: "target\n1\n1" },
  { name: "life: pause, unpause", run: "sleeping; docker pause $c >/dev/null; docker inspect --format '{{.State.Status}}' $c; docker unpause $c >/dev/null; docker inspect --format '{{.State.Status}}' $c; docker rm -f $c >/dev/null", output: "paused\nrunning" },
  { name: "life: update", run: "sleeping -m 64m; docker update -m 96m --memory-swap 200m --pids-limit 44 $c >/dev/null; docker exec $c sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max 2>/dev/null; true'; docker rm -f $c >/dev/null", output: "100663296\n44" },
  { name: "life: kill", run: "sleeping; docker kill $c >/dev/null; docker wait $c; docker rm $c >/dev/null", output: "137" },
  { name: "life: stop", run: "docker run -d --net none --name $c $image sh -c 'trap \"exit 6\" TERM; echo up; while :; do sleep 0.05; done' >/dev/null; until_true sh -c \"docker logs $c | grep -q up\"; docker stop $c >/dev/null; docker wait $c; docker rm $c >/dev/null", output: "6" },
  { name: "life: restart", run: "sleeping; a=$(docker inspect --format '{{.State.Pid}}' $c); docker restart -t 0 $c >/dev/null; b=$(docker inspect --format '{{.State.Pid}}' $c); test $a != $b && docker exec $c echo hello; docker rm -f $c >/dev/null", output: "hello" },
  { name: "life: build", run: "mkdir -p $dir/b; printf 'FROM '$image'\\nRUN echo words >/kept\\nCMD cat /kept\\n' >$dir/b/Dockerfile; DOCKER_BUILDKIT=0 docker build --network none --cgroup-parent $cgroup_parent -q -t built $dir/b >/dev/null && run built", output: "words" },
  { name: "left: no state or cgroup", run: "docker rm -f $(docker ps -aq) >/dev/null; find /run -path '*/runtime-*/*' -name state.json; find /sys/fs/cgroup -path \"*/$mark*/*\" -type d 2>/dev/null | wc -l", output: "0" },
];

export const docker: Caller = {
  name: "docker",
  needs: [
    root,
    mounting,
    need("Debian's docker.io, unpacked or installed", DOCKERD !== undefined),
    program("containerd"),
    program("containerd-shim-runc-v2"),
    program("busybox"),
    program("script"),
  ],
  version: [DOCKERD ?? "dockerd", "--version"],
  configure: (place) => configure(place, false),
  start: `serve && { dockerd --config-file $dir/daemon.json --containerd-namespace $mark --containerd-plugins-namespace $mark-plugins </dev/null >$dir/dockerd.log 2>&1 & } && until_true docker version || { tail -n 2 $dir/dockerd.log >&2; exit 1; }
docker load -q -i $archive >/dev/null && sleeping() { docker run -d --net none --name target $image sleep 1000 >/dev/null; } && sleeping`,
  cases: CASES,
};

/** The same list with reg's own shim; the peers have none, and are called as before. */
export const dockerShim: Caller = {
  ...docker,
  name: "docker-shim",
  needs: [...docker.needs, need(SHIM, existsSync(SHIM))],
  configure: (place) => configure(place, true),
  cases: CASES.map((each) =>
    /^checkpoint: (?!leave)/.test(each.name)
      ? { ...each, skip: { ...each.skip, reg: "Docker tells no shim but runc's that the container is to end" } }
      : each,
  ),
};

/** Both with systemd making the cgroups, which is Docker's own choice on cgroup v2. */
export const dockerSystemd: Caller = {
  ...docker,
  name: "docker-systemd",
  underSystemd: { cgroupManager: "systemd" },
};
export const dockerShimSystemd: Caller = {
  ...dockerShim,
  name: "docker-shim-systemd",
  cases: peersBefore(dockerShim.cases),
  underSystemd: { cgroupManager: "systemd" },
};
