/** `exec`: one more process in a container, from the outside. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { findCgroups } from "../fixtures/cgroups.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { withReceiver } from "../fixtures/receiver.ts";
import { cgroups, cgroupV1, mounting, needs, root } from "../testing.ts";

const exec = suite("exec");
const test = needs(exec, root, mounting, cgroups);

const writable = (spec: Spec) => {
  spec.root.readonly = false;
};

/** A container that sleeps, and what exec answers in it. */
function inContainer(
  body: (fixture: Fixture, id: string) => void | Promise<void>,
  change?: (spec: Spec) => void,
): Promise<void> {
  return withFixture(async (fixture) => {
    const id = fixture.launch(fixture.sleeper(change));
    await body(fixture, id);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  });
}

const shell = (fixture: Fixture, id: string, script: string, ...options: string[]) =>
  fixture.succeed("exec", ...options, id, "sh", "-c", script);

test("runs in the container's namespaces, root and cgroups", () =>
  inContainer((fixture, id) => {
    const { pid } = fixture.state(id);
    const files = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
    const mine = shell(fixture, id, files.map((file) => `readlink /proc/self/ns/${file}`).join("; "));
    assert.is(mine.trim(), files.map((file) => readlinkSync(`/proc/${pid}/ns/${file}`)).join("\n"));
    assert.is(shell(fixture, id, "hostname"), "reg\n");
    assert.is(shell(fixture, id, "cat /proc/self/cgroup"), shell(fixture, id, "cat /proc/1/cgroup"));
    assert.is(shell(fixture, id, "ls /"), "bin\ndev\netc\nproc\nroot\nsys\ntmp\n");
  }));

test("passes the exit status on, and the signal as 128 and its number", () =>
  inContainer((fixture, id) => {
    assert.is(fixture.reg("exec", id, "sh", "-c", "exit 7").status, 7);
    assert.is(fixture.reg("exec", id, "sh", "-c", "kill -9 $$").status, 137);
    assert.is(fixture.reg("exec", id, "true").status, 0);
  }));

test("passes standard input, output and error on", () =>
  inContainer((fixture, id) => {
    const input = fixture.write("input", "one\ntwo\n");
    const result = fixture.host(
      "sh",
      "-c",
      `${fixture.command("exec", id, "sh", "-c", "'wc -l; echo e >&2'").join(" ")} <${input}`,
    );
    assert.equal([result.status, result.stdout, result.stderr], [0, "2\n", "e\n"]);
  }));

test("options end at the container's id", () =>
  inContainer((fixture, id) => {
    assert.is(fixture.succeed("exec", id, "echo", "--tty", "-d", "--", "x"), "--tty -d -- x\n");
  }));

test("fails with 255 and the words that engines look for", () =>
  inContainer((fixture, id) => {
    fixture.fail("executable file not found in $PATH", ["exec", id, "nope"], 255);
    fixture.fail("stat /nope: no such file or directory", ["exec", id, "/nope"], 255);
    fixture.fail("permission denied", ["exec", id, "/etc"], 255);
    fixture.fail("no such file or directory", ["exec", "--cwd", "/nowhere", id, "true"], 255);
    fixture.fail("does not exist", ["exec", `${id}x`, "true"], 255);
    fixture.fail("missing argument: command", ["exec", id], 255);
    fixture.fail("unknown option", ["exec", "--nope", id, "true"], 255);
    fixture.fail("no such file or directory", ["exec", "--process", "/nowhere", id], 255);
  }));

test("takes directory, environment, user, groups and no-new-privs from options", () =>
  inContainer(
    (fixture, id) => {
      assert.is(shell(fixture, id, "pwd", "--cwd", "/tmp"), "/tmp\n");
      assert.is(shell(fixture, id, "echo $A $B $MARK", "--env", "A=1", "-e", "B=2=3"), `1 2=3 ${fixture.mark}\n`);
      assert.is(shell(fixture, id, "echo $TERM", "--env", "TERM=dumb"), "dumb\n");
      assert.is(
        shell(fixture, id, "id -u; id -g; id -G", "--user", "7:8", "-g", "9", "--additional-gids", "10"),
        "7\n8\n8 9 10\n",
      );
      assert.is(shell(fixture, id, "id -u; id -g", "-u", "7"), "7\n0\n");
      const status = (...options: string[]) => shell(fixture, id, "grep -E 'NoNewPrivs' /proc/self/status", ...options);
      assert.match(status(), /\t0/);
      assert.match(status("--no-new-privs"), /\t1/);
    },
    (spec) => {
      spec.process.noNewPrivileges = false;
    },
  ));

for (const user of ["1x", "x", "", ":", "1:", ":1", "1:2:3", "-1", "1 ", "4294967295", "0x1", "+1", "root"])
  test(`refuses the user ${JSON.stringify(user)} instead of guessing`, () =>
    inContainer((fixture, id) => {
      fixture.fail("--user", ["exec", `--user=${user}`, id, "id"], 255);
    }));

test("has the container's capabilities, and --cap adds to them", () =>
  inContainer((fixture, id) => {
    const effective = (...options: string[]) =>
      BigInt(`0x${/CapEff:\s*(\w+)/.exec(shell(fixture, id, "cat /proc/self/status", ...options))?.[1]}`);
    const NET_RAW = 1n << 13n;
    const own = effective();
    assert.is(own, (1n << 29n) | (1n << 5n) | (1n << 10n));
    assert.is(effective("--cap", "CAP_NET_RAW"), own | NET_RAW);
    assert.match(shell(fixture, id, "cat /proc/self/status"), /CapInh:\s*0+\n/);
  }));

test("capabilities are ambient as far as they are inheritable, and that they are not is no error", () =>
  inContainer((fixture, id) => {
    const [kill, bind] = ["CAP_KILL", "CAP_NET_BIND_SERVICE"];
    const sets = { bounding: [kill, bind], effective: [kill, bind], permitted: [kill, bind], inheritable: [kill] };
    const process = {
      args: ["/bin/cat", "/proc/self/status"],
      cwd: "/",
      capabilities: { ...sets, ambient: [kill, bind] },
    };
    const file = fixture.write("process.json", JSON.stringify(process));
    assert.match(fixture.succeed("exec", "--process", file, id), /CapAmb:\s*0*20\n/);
  }));

test("--process takes the whole process from a file", () =>
  inContainer((fixture, id) => {
    const file = fixture.write(
      "process.json",
      JSON.stringify({
        args: ["/bin/sh", "-c", "pwd; id -u; echo $A; ulimit -n; umask; exit 3"],
        env: ["A=b"],
        cwd: "/tmp",
        user: { uid: 5, gid: 6, umask: 0o77 },
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 100 }],
      }),
    );
    const result = fixture.reg("exec", "--process", file, id);
    assert.equal([result.status, result.stdout], [3, "/tmp\n5\nb\n100\n0077\n"], result.stderr);
    fixture.fail("cwd", ["exec", "--process", fixture.write("bad.json", '{"args":["true"]}'), id], 255);
  }));

test("the container's resource limits and OOM score hold for its processes", () =>
  inContainer(
    (fixture, id) => {
      assert.is(shell(fixture, id, "ulimit -n; cat /proc/self/oom_score_adj"), "1024\n100\n");
    },
    (spec) => {
      spec.process.oomScoreAdj = 100;
    },
  ));

test("the OOM score holds, whoever of runtime and process is quicker", () =>
  inContainer(
    (fixture, id) => {
      const [processor] = /(?<=Cpus_allowed_list:\t)\d+/.exec(readFileSync("/proc/self/status", "utf8")) ?? ["0"];
      const command = fixture.command("exec", id, "cat", "/proc/self/oom_score_adj").join(" ");
      const loop = `while :; do :; done & busy=$!; for i in $(seq 60); do ${command}; done; kill $busy`;
      const { stdout } = fixture.host("taskset", "-c", processor, "sh", "-c", loop);
      assert.is(stdout, "100\n".repeat(60));
    },
    (spec) => {
      spec.process.oomScoreAdj = 100;
    },
  ));

test("leaks no descriptor and preserves those that are asked for", () =>
  inContainer((fixture, id) => {
    const list = "for n in 3 4 5 6 7 8 9 10 11; do [ ! -e /proc/$$/fd/$n ] || echo $n; done";
    assert.is(shell(fixture, id, list), "");
    const call = (before: string, ...options: string[]) =>
      fixture.host(
        "sh",
        "-c",
        `${before} ${fixture.command("exec", ...options, id).join(" ")} sh -c '${list}' 3</dev/null 4<&3`,
      );
    assert.is(call("", "--preserve-fds", "1").stdout, "3\n");
    assert.is(call("LISTEN_FDS=1", "--preserve-fds", "1").stdout, "3\n4\n");
    assert.is(call("").stdout, "");
  }));

test("--detach returns at once and writes the pid file, without a newline", () =>
  inContainer((fixture, id) => {
    const file = fixture.path("pid");
    fixture.succeed("exec", "--detach", "--pid-file", file, id, "sleep", "100000");
    const text = readFileSync(file, "utf8");
    assert.match(text, /^[1-9]\d*$/);
    assert.is(readFileSync(`/proc/${text}/cmdline`, "utf8"), "sleep\x00100000\x00");
    // It is in the container's pid namespace.
    assert.match(shell(fixture, id, "ps"), "sleep 100000");
  }));

test("a signal to exec reaches the process", () =>
  inContainer(async (fixture, id) => {
    const [program = "", ...args] = fixture.command(
      "exec",
      id,
      "sh",
      "-c",
      "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done",
    );
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGTERM");
    const status = await new Promise((resolve) => child.once("exit", resolve));
    assert.is(status, 5);
  }));

test("a terminal comes from the container's own devpts", () =>
  withReceiver(async (fixture, receiver) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.fail("console socket", ["exec", "--tty", "--detach", id, "tty"], 255);
    fixture.fail("console socket", ["exec", "--detach", "--console-socket", receiver.socket, id, "true"], 255);
    const script = "tty; stty size >/dev/null && echo sized; read line; echo got $line";
    fixture.succeed("exec", "-t", "-d", "--console-socket", receiver.socket, id, "sh", "-c", script);
    await receiver.expect("/dev/pts/0\r\n");
    await receiver.expect("sized\r\n");
    receiver.type("hello\n");
    await receiver.expect("got hello\r\n");
    await receiver.ended();
  }));

test("in the foreground the terminal is relayed", () =>
  inContainer((fixture, id) => {
    assert.is(fixture.succeed("exec", "--tty", id, "tty"), "/dev/pts/0\n");
  }));

test("works in a created container, not in a stopped one", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    assert.is(fixture.succeed("exec", id, "echo", "hello"), "hello\n");
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
    fixture.fail("cannot exec in a stopped container", ["exec", id, "true"], 255);
  }));

test("works in a container that shares the host's pid and network namespaces", () =>
  inContainer(
    (fixture, id) => {
      assert.is(shell(fixture, id, "readlink /proc/self/ns/net").trim(), readlinkSync("/proc/self/ns/net"));
      assert.is(fixture.reg("exec", id, "sh", "-c", "exit 4").status, 4);
    },
    (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid" && type !== "network");
      spec.mounts = spec.mounts.filter(({ destination }) => destination !== "/sys");
      spec.linux.maskedPaths = [];
    },
  ));

test("works in a container with a user namespace", () =>
  inContainer(
    (fixture, id) => {
      assert.is(shell(fixture, id, "id -u; cat /proc/self/uid_map | tr -s ' '"), "0\n 0 100000 65536\n");
      assert.is(shell(fixture, id, "id -u", "--user", "1000"), "1000\n");
    },
    (spec) => {
      const map = [{ containerID: 0, hostID: 100000, size: 65536 }];
      spec.linux.namespaces.push({ type: "user" });
      Object.assign(spec.linux, { uidMappings: map, gidMappings: map });
    },
  ));

needs(
  exec,
  root,
  mounting,
  cgroupV1,
)("--cgroup names cgroups below the container's", () =>
  inContainer((fixture, id) => {
    const memory = /\n\d+:memory:(.*)/.exec(`\n${readFileSync(`/proc/${fixture.state(id).pid}/cgroup`, "utf8")}`)?.[1];
    fixture.host("mkdir", `/sys/fs/cgroup/memory${memory}/below`);
    const place = (...options: string[]) => shell(fixture, id, "grep memory /proc/self/cgroup", ...options).trim();
    assert.match(place("--cgroup", "memory:below"), /:\/below$/);
    assert.match(place("--cgroup", "memory:/below", "--cgroup", "pids:/"), /:\/below$/);
    fixture.fail("bad sub cgroup path", ["exec", "--cgroup", "memory:../..", id, "true"], 255);
    fixture.fail("no such file or directory", ["exec", "--cgroup", "below", id, "true"], 255);
    fixture.fail("no controller nope", ["exec", "--cgroup", "nope:below", id, "true"], 255);
    fixture.fail("--cgroup", ["exec", "--cgroup", "memory:a", "--cgroup", "memory:b", id, "true"], 255);
  }),
);

/** Whatever execs could leave behind: descriptors of init, processes in the container, files of the state, cgroups. */
function traces(fixture: Fixture, id: string): string[] {
  const { pid } = fixture.state(id);
  const processes = readdirSync("/proc").filter((name) => isIn(name, `/proc/${pid}/ns/pid`));
  return [
    ...readdirSync(`/proc/${pid}/fd`).map((fd) => `descriptor ${fd}`),
    ...processes.map((name) => `process ${name}`),
    ...readdirSync(fixture.root, { recursive: true }).map((name) => `file ${name}`),
    ...findCgroups(fixture.mark),
  ].sort();
}

function isIn(process: string, namespace: string): boolean {
  try {
    return /^\d+$/.test(process) && readlinkSync(`/proc/${process}/ns/pid`) === readlinkSync(namespace);
  } catch {
    return false; // it has ended
  }
}

test("200 execs, 20 at a time, each with its own status, and nothing is left of them", () =>
  inContainer(async (fixture, id) => {
    assert.is(fixture.reg("exec", id, "true").status, 0);
    const before = traces(fixture, id);
    const results: Promise<void>[] = [];
    let next = 0;
    const worker = async () => {
      while (next < 200) {
        const status = next++ % 100;
        const [program = "", ...args] = fixture.command("exec", id, "sh", "-c", `exit ${status}`);
        const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
        assert.is(await new Promise((resolve) => child.once("exit", resolve)), status);
      }
    };
    for (let index = 0; index < 20; index++) results.push(worker());
    await Promise.all(results);
    assert.is(shell(fixture, id, "ps | grep 'exit [0-9]' || true"), "");
    waitUntil("no process left", () => fixture.host("pgrep", "-f", `exec ${id}`).stdout === "");
    assert.equal(traces(fixture, id), before);
  }, writable));

test("a process from a file has the resource limits that the file says, and none of the container's", () =>
  inContainer(
    (fixture, id) => {
      const args = ["sh", "-c", "ulimit -n"];
      const env = ["PATH=/bin"];
      const bare = fixture.write("bare.json", JSON.stringify({ cwd: "/", args, env }));
      const own = fixture.host("sh", "-c", "ulimit -n").stdout;
      assert.is(fixture.succeed("exec", "--process", bare, id), own);
      const rlimits = [{ type: "RLIMIT_NOFILE", soft: 55, hard: 55 }];
      const limited = fixture.write("limited.json", JSON.stringify({ cwd: "/", args, env, rlimits }));
      assert.is(fixture.succeed("exec", "--process", limited, id), "55\n");
      assert.is(shell(fixture, id, "ulimit -n"), "77\n", "a command has those of the container's process");
    },
    (spec) => {
      spec.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 77, hard: 77 }];
    },
  ));

exec.run();
