/** containerd's CRI plugin, as the kubelet calls it: pods, their containers, and what a cluster asks of a runtime. */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BUILD, SHIM, TOOLS, TOP } from "../paths.ts";
import { mounting, need, program, root } from "../testing.ts";
import { type Caller, type Case, IMAGE, type Place, SAME } from "./caller.ts";
import { CRIU_PROLOGUE, checkpointCases, countInto, GOES_ON, OPEN_CONNECTIONS, openConnection } from "./checkpoint.ts";

/** Of Debian's golang-k8s-cri-api-dev, unpacked by setup.sh. */
const PROTO = join(BUILD, "callers/cri/api.proto");
const PLUGINS = "/usr/lib/cni";

/** How reg is called: by runc's shim, by its own, or by its own that keeps the pods too. */
type Way = "runc.v2" | "shim" | "sandboxer";

function configure({ folder, runtime, mark, archive, rootfs, cgroupManager }: Place, way: Way): string {
  const own = way !== "runc.v2" && runtime.kind === "reg";
  const systemd = cgroupManager === "systemd";
  const options = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.given.options]';
  // With runc's type reg's shim gets runc's options, as the kubelet's containerd has them.
  const handler = own
    ? systemd
      ? `runtime_type = "io.containerd.runc.v2"\nruntime_path = "${SHIM}"\n${options}\nSystemdCgroup = true`
      : `runtime_type = "io.containerd.reg.v2"\npod_annotations = ["org.reg.*"]${way === "sandboxer" ? '\nsandboxer = "shim"' : ""}`
    : `runtime_type = "io.containerd.runc.v2"\n${options}\nBinaryName = "${runtime.path}"\nSystemdCgroup = ${systemd}`;
  writeFileSync(
    join(folder, "containerd.toml"),
    `version = 2
root = "${folder}/root"
state = "/run/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.nri.v1.nri"]
[grpc]
address = "/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:latest"
restrict_oom_score_adj = true
disable_apparmor = true
stream_server_port = "0"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${PLUGINS}"
conf_dir = "${folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "given"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.given]
${handler}
`,
  );
  return `
${CRIU_PROLOGUE}${GOES_ON}${OPEN_CONNECTIONS}image=${IMAGE} mark=${mark} runtime=${runtime.path} kind=${runtime.kind} dir=${folder} rootfs=${rootfs} archive=${archive}
PATH=${own ? `${dirname(SHIM)}:` : ""}$PATH
export CONTAINERD_ADDRESS=/run/containerd.sock CONTAINERD_NAMESPACE=k8s.io CGROUP_PARENT=${systemd ? "$mark.slice" : "/$mark"}
export NODE_COMPILE_CACHE=$dir/node
until_true() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 100 ] || return 1; sleep 0.1; done; }
cri() { node ${join(TOP, "dist/conformance/callers/cri-client.js")} ${PROTO} /run/containerd.sock $dir "$@"; }
# The pods' bridge is in a network of its own.
serve() {
    nsenter --net=/run/net env TMPDIR=$dir containerd --config $dir/containerd.toml </dev/null >>$dir/containerd.log 2>&1 &
    echo $! >/run/containerd.pid
    until_true cri call Version '{}'
}
sleeping='{"command": ["sleep", "1000"]}'
stopping='${JSON.stringify({ command: ["sh", "-c", 'trap "exit 6" TERM; while :; do sleep 0.05; done'] })}'
sh_() { printf '{"command": ["sh", "-c", "%s"]}' "$1"; }
pod() { p=$(cri pod $c "$@"); }
running() { pod "$@" && k=$(cri run $p main "$sleeping"); }
gone() { cri call StopPodSandbox "{\\"pod_sandbox_id\\": \\"$p\\"}" >/dev/null && cri call RemovePodSandbox "{\\"pod_sandbox_id\\": \\"$p\\"}" >/dev/null; }
of() { printf '{"container_id": "%s"}' $1; }
# The process of the pod $p; containerd 2 tells it in the pod's status only where the pod is the shim's.
pause_pid() {
    pid=$(ctr tasks ls | awk -v p=$p '$1 == p { print $2 }')
    [ -n "$pid" ] || pid=$(cri call PodSandboxStatus "{\\"pod_sandbox_id\\": \\"$p\\", \\"verbose\\": true}" info.info | grep -o '"pid":[0-9]*' | head -n 1 | cut -d : -f 2)
    [ "$pid" -gt 1 ] && echo $pid
}
status() { cri call ContainerStatus "$(of $1)" status.$2; }
counting=$(sh_ '${countInto("/tmp")}')
counted() { cri exec $k cat /tmp/n; }
save() { cri call CheckpointContainer "{\\"container_id\\": \\"$k\\", \\"location\\": \\"$dir/$c.tar\\"}" >/dev/null; }
# again JSON: a pod with what was saved.
again() { pod && k=$(cri run $p main "$(printf %s "$1" | sed "s,^{,{\\"image\\": {\\"image\\": \\"$dir/$c.tar\\"}\\, ,")"); }
# What a restore asks the image's registry for, though all is there: its manifest.
registry() {
    [ ! -e $dir/manifest.json ] || return 0
    set -- $(ctr images ls name==$image | tail -n 1)
    ctr content get $3 >$dir/manifest.json && ctr images tag $image 127.0.0.1:5000/small@$3 >/dev/null
    nsenter --net=/run/net node ${join(TOP, "dist/conformance/callers/registry.js")} 5000 $dir/manifest.json $2 </dev/null >/dev/null 2>&1 &
}
`;
}

const START = `mkdir -p $dir/cni
touch /run/net && unshare --net=/run/net ip link set lo up
cat >$dir/cni/10-pods.conflist <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "pods0", "ipam": {"type": "host-local", "dataDir": "/run/cni-pods", "ranges": [[{"subnet": "10.88.0.0/16"}]]}}]}
END
mkdir -p $dir/pause && tar -C $dir/pause -xf $archive && sed -i 's/"Cmd":\\["sh"\\]/"Cmd":["sleep","1000000"]/' $dir/pause/config.json &&
    sed -i 's,${IMAGE},localhost/pause:latest,' $dir/pause/manifest.json && tar -C $dir/pause -cf $dir/pause.tar manifest.json config.json layer.tar
serve && ctr images import $archive >/dev/null && ctr images import $dir/pause.tar >/dev/null || { tail -n 3 $dir/containerd.log >&2; exit 1; }
`;

// biome-ignore format: one case, one line
const CASES: readonly Case[] = [
  { name: "pod: its status, and what is left", run: "pod; cri call PodSandboxStatus \"{\\\"pod_sandbox_id\\\": \\\"$p\\\"}\" status.state; gone; cri call ListPodSandbox '{}' items", output: "SANDBOX_READY\n[]" },
  { name: "pod: has an address", run: "pod; cri call PodSandboxStatus \"{\\\"pod_sandbox_id\\\": \\\"$p\\\"}\" status.network.ip; gone", output: /^10\.88\.\d+\.\d+$/ },
  { name: "pod: five containers, one by one", run: "pod; for n in 1 2 3 4 5; do cri run $p c$n \"$sleeping\" >/dev/null; done; cri call ListContainers \"{\\\"filter\\\": {\\\"pod_sandbox_id\\\": \\\"$p\\\"}}\" containers | grep -o CONTAINER_RUNNING | wc -l; gone", output: "5" },
  { name: "pod: containers share network, uts and ipc", run: "running; other=$(cri run $p other \"$sleeping\"); for id in $k $other; do cri exec $id sh -c 'for type in net uts ipc; do readlink /proc/self/ns/$type; done'; done | sort -u | wc -l; gone", output: "3" },
  { name: "pod: containers have pids of their own", run: "running; cri exec $k sh -c 'ps -o args | head -n 2 | tail -n 1'; gone", output: "sleep 1000" },
  { name: "pod: a shared pid namespace", run: "running '{\"linux\": {\"security_context\": {\"namespace_options\": {\"pid\": \"POD\"}}}}'; cri exec $k ps -o args | grep -c '^sleep 10*$'; gone", output: "2" },
  { name: "pod: the host's pid namespace", run: "running '{\"linux\": {\"security_context\": {\"namespace_options\": {\"pid\": \"NODE\"}}}}'; test $(cri exec $k readlink /proc/self/ns/pid) = $(readlink /proc/self/ns/pid) && echo same; gone", output: "same" },
  { name: "pod: the host's network", run: "running '{\"hostname\": \"\", \"linux\": {\"security_context\": {\"namespace_options\": {\"network\": \"NODE\"}}}}'; test $(cri exec $k readlink /proc/self/ns/net) = $(readlink /proc/$(cat /run/containerd.pid)/ns/net) && echo same; gone", output: "same" },
  { name: "pod: the host's ipc", run: "running '{\"linux\": {\"security_context\": {\"namespace_options\": {\"ipc\": \"NODE\"}}}}'; test $(cri exec $k readlink /proc/self/ns/ipc) = $(readlink /proc/$(cat /run/containerd.pid)/ns/ipc) && echo same; gone", output: "same" },
  { name: "pod: host name, sysctl, DNS", run: "running '{\"hostname\": \"web1\", \"dns_config\": {\"servers\": [\"10.0.0.1\"]}, \"linux\": {\"sysctls\": {\"net.ipv4.ip_forward\": \"1\"}}}'; cri exec $k sh -c 'hostname; cat /proc/sys/net/ipv4/ip_forward /etc/resolv.conf'; gone", output: "web1\n1\nnameserver 10.0.0.1" },
  { name: "run: exit status 0", run: "pod; k=$(cri run $p main '{\"command\": [\"true\"]}'); cri wait $k; gone", output: "0 Completed" },
  { name: "run: exit status 3", run: "pod; k=$(cri run $p main \"$(sh_ 'exit 3')\"); cri wait $k; gone", output: "3 Error" },
  { name: "run: ended by a signal", run: "pod; k=$(cri run $p main \"$(sh_ 'kill -9 1; sleep 1; exit 4')\"); cri wait $k; gone", output: "4 Error" },
  { name: "run: program not found", run: "pod; cri run $p main '{\"command\": [\"nowhere\"]}' 2>&1 | grep -o 'nowhere' | head -n 1; gone", output: "nowhere" },
  { name: "run: environment, working directory, arguments", run: "pod; k=$(cri run $p main '{\"command\": [\"sh\"], \"args\": [\"-c\", \"echo $NAME; pwd; sleep 1000\"], \"envs\": [{\"key\": \"NAME\", \"value\": \"dmFsdWU=\"}], \"working_dir\": \"/tmp\"}'); until_true grep -q tmp $dir/logs/$c/main.log; cut -d ' ' -f 2- $dir/logs/$c/main.log; gone", output: "stdout F value\nstdout F /tmp" },
  { name: "run: logs of both streams, the last line without a newline", run: "pod; k=$(cri run $p main \"$(sh_ 'echo one; echo two >&2; printf three')\"); cri wait $k >/dev/null; sed 's/^[^ ]* //' $dir/logs/$c/main.log | sort; gone", output: "stderr F two\nstdout F one\nstdout P three" },
  { name: "run: 300,000 lines, none lost", slow: true, run: "pod; k=$(cri run $p main \"$(sh_ 'seq 1 300000')\"); cri wait $k >/dev/null; wc -l <$dir/logs/$c/main.log; tail -n 1 $dir/logs/$c/main.log | cut -d ' ' -f 4; gone", output: "300000\n300000" },
  { name: "run: a volume, read-only", run: "mkdir -p $dir/v$c; echo words >$dir/v$c/file; pod; k=$(cri run $p main \"{\\\"command\\\": [\\\"sleep\\\", \\\"1000\\\"], \\\"mounts\\\": [{\\\"container_path\\\": \\\"/data\\\", \\\"host_path\\\": \\\"$dir/v$c\\\", \\\"readonly\\\": true}]}\"); cri exec $k sh -c 'cat /data/file; touch /data/x 2>/dev/null || echo kept'; gone", output: "words\nkept" },
  { name: "run: user, groups, read-only root", run: "pod; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"security_context\": {\"run_as_user\": {\"value\": 1000}, \"run_as_group\": {\"value\": 2000}, \"supplemental_groups\": [3000], \"readonly_rootfs\": true}}}'); cri exec $k sh -c 'id -u; id -g; id -G; touch /x 2>/dev/null || echo kept'; gone", output: SAME },
  { name: "run: capabilities", run: "pod; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"security_context\": {\"capabilities\": {\"drop_capabilities\": [\"ALL\"], \"add_capabilities\": [\"NET_BIND_SERVICE\"]}}}}'); cri exec $k awk '/^Cap(Eff|Bnd)/ { print $2 }' /proc/self/status; gone", output: "0000000000000400\n0000000000000400" },
  { name: "run: seccomp RuntimeDefault", run: "running; cri exec $k sh -c \"awk '/^Seccomp:/ { print \\$2 }' /proc/self/status; unshare -U true 2>/dev/null || echo denied\"; gone", output: "2\ndenied" },
  { name: "run: seccomp Unconfined", run: "pod; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"security_context\": {\"seccomp\": {\"profile_type\": \"Unconfined\"}}}}'); cri exec $k awk '/^Seccomp:/ { print $2 }' /proc/self/status; gone", output: "0" },
  { name: "run: no new privileges, masked paths", run: "pod; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"security_context\": {\"no_new_privs\": true, \"masked_paths\": [\"/etc/passwd\"], \"readonly_paths\": [\"/proc/sys\"]}}}'); cri exec $k sh -c \"awk '/^NoNewPrivs/ { print \\$2 }' /proc/self/status; wc -c </etc/passwd; echo 1 2>/dev/null >/proc/sys/kernel/msgmax || echo kept\"; gone", output: "1\n0\nkept" },
  { name: "run: privileged", run: "pod '{\"linux\": {\"security_context\": {\"privileged\": true}}}'; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"security_context\": {\"privileged\": true}}}'); cri exec $k awk '/^Cap(Eff|Prm)/ { print $2 }' /proc/self/status; gone", output: SAME },
  { name: "run: a user namespace", run: "options='{\"linux\": {\"security_context\": {\"namespace_options\": {\"userns_options\": {\"mode\": \"POD\", \"uids\": [{\"host_id\": 100000, \"container_id\": 0, \"length\": 65536}], \"gids\": [{\"host_id\": 100000, \"container_id\": 0, \"length\": 65536}]}}}}}'; running \"$options\"; cri exec $k sh -c 'id -u; cat /proc/self/uid_map | tr -s \" \"; stat -c %u /bin/busybox'; gone", output: SAME },
  { name: "limit: memory, cpu, pids of the pod's config", run: "pod; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"resources\": {\"memory_limit_in_bytes\": 67108864, \"cpu_quota\": 50000, \"cpu_period\": 100000, \"cpu_shares\": 512}}}'); cri exec $k sh -c 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares memory.max cpu.max cpu.weight 2>/dev/null; true'; gone", output: /^67108864\n50000( 100000)?\n\d+$/ },
  { name: "limit: update", run: "pod; k=$(cri run $p main '{\"command\": [\"sleep\", \"1000\"], \"linux\": {\"resources\": {\"memory_limit_in_bytes\": 67108864}}}'); cri call UpdateContainerResources \"{\\\"container_id\\\": \\\"$k\\\", \\\"linux\\\": {\\\"memory_limit_in_bytes\\\": 134217728, \\\"cpu_shares\\\": 300}}\" >/dev/null; cri exec $k sh -c 'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.shares memory.max cpu.weight 2>/dev/null; true'; gone", output: SAME },
  { name: "limit: killed for memory is told", run: "pod; k=$(cri run $p main '{\"command\": [\"tail\", \"/dev/zero\"], \"linux\": {\"resources\": {\"memory_limit_in_bytes\": 16777216, \"memory_swap_limit_in_bytes\": 16777216}}}'); cri wait $k; gone", output: "137 OOMKilled" },
  { name: "exec: output and exit status", run: "running; cri exec $k sh -c 'echo out; echo err >&2; exit 5'; s=$?; gone; exit $s", output: "out", status: 5 },
  { name: "exec: time limit", run: "running; cri exec -t 1 $k sleep 100 2>/dev/null; echo $?; cri exec $k sh -c 'ps -o args | grep -c \"^sleep 100$\"'; gone", output: "124\n0" },
  { name: "exec: program not found", run: "running; cri exec $k nowhere 2>&1 | grep -o nowhere | head -n 1; gone", output: "nowhere" },
  { name: "exec: fifty at once", slow: true, run: "running; for n in $(seq 50); do cri exec $k echo $n & done >$dir/$c.out 2>&1; wait $(jobs -p | tail -n 50); sort -n $dir/$c.out | tail -n 1; wc -l <$dir/$c.out; gone", output: "50\n50" },
  { name: "stats: of a container", run: "running; cri call ContainerStats \"$(of $k)\" stats.memory.working_set_bytes.value | awk '{ print ($1 > 0) }'; cri call ListContainerStats '{}' stats | grep -c $k; gone", output: "1\n1" },
  { name: "life: stop within its time", run: "pod; k=$(cri run $p main \"$stopping\"); sleep 0.3; cri call StopContainer \"{\\\"container_id\\\": \\\"$k\\\", \\\"timeout\\\": 10}\" >/dev/null; status $k exit_code; gone", output: "6" },
  { name: "life: stop after its time", run: "pod; k=$(cri run $p main \"$(sh_ 'trap : TERM; while :; do sleep 0.05; done')\"); sleep 0.3; cri call StopContainer \"{\\\"container_id\\\": \\\"$k\\\", \\\"timeout\\\": 1}\" >/dev/null; status $k exit_code; gone", output: "137" },
  { name: "life: a container is removed and made again", run: "running; cri call StopContainer \"{\\\"container_id\\\": \\\"$k\\\"}\" >/dev/null; cri call RemoveContainer \"$(of $k)\" >/dev/null; k=$(cri run $p main \"$sleeping\"); status $k state; gone", output: "CONTAINER_RUNNING" },
  { name: "life: created, and never started", run: "pod; k=$(cri create $p main \"$sleeping\"); status $k state; gone; cri call ListContainers '{}' containers", output: "CONTAINER_CREATED\n[]" },
  { name: "life: the log is opened anew", run: "pod; k=$(cri run $p main \"$(sh_ 'while :; do echo line; sleep 0.05; done')\"); sleep 0.3; mv $dir/logs/$c/main.log $dir/logs/$c/old.log; cri call ReopenContainerLog \"$(of $k)\" >/dev/null; until_true grep -q line $dir/logs/$c/main.log && echo again; gone", output: "again" },
  { name: "life: containerd is killed and comes back", slow: true, run: "running; e=$(cri run $p ends \"$(sh_ 'sleep 2; exit 9')\"); kill -9 $(cat /run/containerd.pid); sleep 3; serve; cri call PodSandboxStatus \"{\\\"pod_sandbox_id\\\": \\\"$p\\\"}\" status.state; status $k state; cri wait $e | cut -d ' ' -f 1; cri exec $k echo there; gone", output: "SANDBOX_READY\nCONTAINER_RUNNING\n9\nthere" },
  { name: "life: the pause process dies", run: "running; kill -9 $(pause_pid); sleep 1; cri call PodSandboxStatus \"{\\\"pod_sandbox_id\\\": \\\"$p\\\"}\" status.state; gone; cri call ListPodSandbox '{}' items", output: "SANDBOX_NOTREADY\n[]" },
  ...checkpointCases([
    { name: "checkpoint: leaves the container running", run: "pod; k=$(cri run $p main \"$counting\"); sleep 0.3; save && tar -tf $dir/$c.tar | grep -c '^checkpoint/inventory.img'; a=$(counted); sleep 0.3; goes_on $a $(counted); gone", output: "1\nwent on" },
    { name: "checkpoint: restore in another pod", run: "registry; pod; k=$(cri run $p main \"$counting\"); sleep 0.3; a=$(counted); save; gone; again \"$counting\"; b=$(counted); goes_on $a $b; sleep 0.3; goes_on $b $(counted); status $k state; gone", output: "went on\nwent on\nCONTAINER_RUNNING" },
    openConnection("checkpoint: open connection", `registry; both='{"command": ["/tools/checkpointed", "both", "80", "/tmp/answers"], "mounts": [{"host_path": "${TOOLS}", "container_path": "/tools", "readonly": true}]}'
answers() { cri exec $k sh -c 'wc -l </tmp/answers'; }
pod; k=$(cri run $p main "$both"); sleep 0.3; save 2>/dev/null || echo refused; open_connections; a=$(answers); save; gone; again "$both"; b=$(answers); goes_on $a $b; sleep 0.3; goes_on $b $(answers); no_open_connections; gone`, "refused\nwent on\nwent on"),
  ], isContainerd2() ? undefined : "needs containerd 2"),
  { name: "left: no task, state or cgroup", run: "n=0; while [ $n -lt 30 ] && ps -eo args | grep -q '^[^ ]*containerd-shim'; do n=$((n + 1)); sleep 0.2; done; ctr tasks ls -q | wc -l; ps -eo args | grep -c '^[^ ]*containerd-shim'; find /run -path '*/runc/*' -name state.json | wc -l; find /sys/fs/cgroup -path \"*/$mark*/*\" -type d | wc -l; grep -c /run/containerd-state /proc/self/mounts", status: 1, output: "0\n0\n0\n0\n0" },
];

export const cri: Caller = {
  name: "cri",
  needs: [
    root,
    mounting,
    program("containerd"),
    program("ctr"),
    program("containerd-shim-runc-v2"),
    program("ip"),
    need("CNI's plugins in /usr/lib/cni (containernetworking-plugins)", existsSync(join(PLUGINS, "bridge"))),
    need("the interface's definition (golang-k8s-cri-api-dev)", existsSync(PROTO)),
  ],
  version: ["containerd", "--version"],
  configure: (place) => configure(place, "runc.v2"),
  start: START,
  cases: CASES,
};

/** The same list with reg's own shim; the peers have none, and are called as before. */
export const criShim: Caller = {
  ...cri,
  name: "cri-shim",
  needs: [...cri.needs, need(SHIM, existsSync(SHIM))],
  configure: (place) => configure(place, "shim"),
};

/** Cases by name, and why they are left out where pods are the shim's. */
const NOT_THE_SHIMS: Readonly<Record<string, string>> = {
  "run: a user namespace": "such pods need the other sandboxer",
  "pod: the host's network": "containerd 2.1 panics in NewBundle, before it has called the shim",
  "pod: a shared pid namespace": "its first process is another program's; conformance/shim/sandbox.test.ts looks at it",
};

/** And once more with pods that are the shim's own, from containerd 2 on. */
export const criSandboxer: Caller = {
  ...criShim,
  name: "cri-sandboxer",
  needs: [...criShim.needs, need("containerd 2", isContainerd2())],
  configure: (place) => configure(place, "sandboxer"),
  cases: CASES.map((each) => {
    const reason = NOT_THE_SHIMS[each.name];
    return reason === undefined ? each : { ...each, skip: { reg: reason } };
  }),
};

function isContainerd2(): boolean {
  const { stdout } = spawnSync("containerd", ["--version"], { encoding: "utf8" });
  return / v?([2-9]|\d\d+)\.\d+/.test(stdout ?? "");
}

/** Each call starts Node, which takes ten seconds on an emulated processor. */
const SLOW = "a case takes 90 s there";
const TOO_SLOW: NonNullable<Caller["skip"]> = { crun: SLOW, runc: SLOW };

/** Both as kubeadm configures a node: `SystemdCgroup = true`. */
export const criSystemd: Caller = {
  ...cri,
  name: "cri-systemd",
  skip: TOO_SLOW,
  underSystemd: { cgroupManager: "systemd" },
};
export const criShimSystemd: Caller = {
  ...criShim,
  name: "cri-shim-systemd",
  skip: TOO_SLOW,
  underSystemd: { cgroupManager: "systemd" },
};
