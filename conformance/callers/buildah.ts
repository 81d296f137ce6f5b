/** Buildah with its OCI isolation: it talks to the runtime itself, without conmon, and polls `state`. */
import { mounting, program, root } from "../testing.ts";
import { type Caller, type Case, SAME } from "./caller.ts";
import { configureStorage } from "./podman.ts";

// biome-ignore format: one case, one line
const CASES: readonly Case[] = [
  { name: "run: output", run: "from && inside echo hello", output: "hello" },
  { name: "run: exit status 3", run: "from && inside sh -c 'exit 3'", status: 3 },
  { name: "run: program not found", run: "from && inside nowhere", status: 1 },
  { name: "run: stdin", run: "from && echo words | inside cat", output: "words" },
  { name: "run: tty", run: "from && buildah run -t $c -- sh -c 'test -t 0 && echo hello'", output: /hello/ },
  { name: "run: user", run: "from && buildah run --user someone $c -- id -u", output: "1000" },
  { name: "run: environment", run: "from && buildah run --env NAME=value $c -- sh -c 'echo $NAME'", output: "value" },
  { name: "run: working directory", run: "from && buildah run --workingdir /tmp $c -- pwd", output: "/tmp" },
  { name: "run: volume", run: "mkdir -p $dir/v; echo words >$dir/v/file; from && buildah run -v $dir/v:/data:ro $c -- cat /data/file", output: "words" },
  { name: "run: tmpfs", run: "from && buildah run --mount type=tmpfs,dst=/scratch $c -- stat -f -c %T /scratch", output: "tmpfs" },
  { name: "run: host name", run: "from && buildah run --hostname web1 $c -- hostname", output: "web1" },
  { name: "run: capabilities", run: "from && inside awk '/^Cap/ { print $1, $2 }' /proc/self/status", output: SAME },
  { name: "run: drop a capability", run: "from && buildah run --cap-drop CAP_CHOWN $c -- chown 1 /etc/hosts 2>/dev/null", status: 1 },
  { name: "run: seccomp", run: "from && inside awk '/^Seccomp:/ { print $2 }' /proc/self/status", output: "2" },
  { name: "run: memory limit", run: "from --memory 64m && inside sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'", output: "67108864" },
  { name: "run: id map", run: "from --userns-uid-map 0:100000:5000 --userns-gid-map 0:100000:5000 && inside cat /proc/self/uid_map | tr -s ' '", output: "0 100000 5000" },
  { name: "run: twice, then commit", run: "from && inside touch /a && inside touch /b && buildah commit -q $c kept >/dev/null && from() { buildah from --name second kept >/dev/null; } && from && buildah run second -- ls /a /b", output: "/a\n/b" },
  { name: "build: two steps", run: "mkdir -p $dir/b; printf 'FROM '$image'\\nRUN echo words >/kept\\nRUN cat /kept\\n' >$dir/b/Containerfile; buildah build --cgroup-parent=/$mark/$c -q -t built $dir/b && buildah from --name third built && buildah run third -- cat /kept", output: /words$/ },
  { name: "build: a step that fails", run: "mkdir -p $dir/b2; printf 'FROM '$image'\\nRUN exit 7\\n' >$dir/b2/Containerfile; buildah build --cgroup-parent=/$mark/$c -q $dir/b2", status: 7 },
  { name: "left: no state or cgroup", run: "buildah rm -a >/dev/null; ls /run/$kind 2>/dev/null | grep -v ^@; find /sys/fs/cgroup -path \"*/$mark/*\" -type d 2>/dev/null | wc -l", output: "0" },
];

export const buildah: Caller = {
  name: "buildah",
  needs: [root, mounting, program("buildah"), program("busybox")],
  version: ["buildah", "--version"],
  configure: (place) => `${configureStorage(place)}
export BUILDAH_ISOLATION=oci BUILDAH_RUNTIME=$runtime
from() { buildah from --cgroup-parent=/$mark/$c --name $c "$@" $image >/dev/null; }
inside() { buildah run $c -- "$@"; }
`,
  start: "buildah pull -q docker-archive:$archive >/dev/null",
  cases: CASES,
};
