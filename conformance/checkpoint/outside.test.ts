/** What of a container leads out of it, or comes from the host: connections, terminals, pipes, mounts, namespaces. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { Receiver, withReceiver } from "../fixtures/receiver.ts";
import { TOOLS } from "../paths.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";
import {
  checkpoint,
  checkpointed,
  counter,
  criu,
  cycle,
  imageDirectory,
  launchCounter,
  ok,
  restore,
  withCriu,
} from "./criu.ts";

const outside = suite("checkpoint: what leads out of the container");
const test = needs(outside, root, mounting, cgroups, criu);

/** Lines of a file; none when it is not there. */
function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n");
  } catch {
    return [];
  }
}

/** The answers are numbered by the server and by the client: a connection that was lost or begun anew would show. */
function assertUnbroken(answers: readonly string[]): void {
  const expected = answers.map((_, index) => `${index + 1} line ${index + 1}`);
  assert.equal(answers, expected);
}

const without = (type: string) => (spec: Spec) => {
  spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== type);
};

/** The kernel shows its sysfs only to whoever owns the network. */
function shareNetwork(spec: Spec): void {
  without("network")(spec);
  spec.mounts = spec.mounts.filter((mount) => mount.type !== "sysfs" && mount.type !== "cgroup");
}

test("a TCP connection inside the container goes on with --tcp-established, and is refused without", () =>
  withFixture((fixture) => {
    const bundle = checkpointed(fixture, ["both", "80", "/tmp/answers"]);
    const id = fixture.launch(bundle);
    const answers = () => lines(join(bundle.rootfs, "tmp/answers"));
    waitUntil("they talk", () => answers().length > 3);
    const refused = checkpoint(fixture, id, imageDirectory(fixture, "refused"));
    assert.is(refused.status, 1);
    assert.match(refused.stderr, /CRIU could not save container .*tcp-established/);
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images, "--tcp-established"));
    const before = answers().length;
    ok(restore(fixture, id, bundle, images, "--tcp-established"));
    waitUntil("they go on", () => answers().length > before + 3);
    fixture.succeed("delete", "--force", id);
    assertUnbroken(answers());
    fixture.assertNothingLeft();
  }));

needs(
  outside,
  root,
  mounting,
  cgroups,
  criu,
  program("ip"),
  program("iptables-restore"),
)("a server in a network namespace that was there before keeps its connection with a client outside", () =>
  withFixture((fixture) => {
    const name = `net-${process.pid}`;
    fixture.host("ip", "netns", "add", name);
    let client: ReturnType<typeof spawn> | undefined;
    try {
      fixture.host("ip", "-n", name, "link", "set", "lo", "up");
      const bundle = checkpointed(fixture, ["serve", "127.0.0.1", "80"], (spec) => {
        for (const namespace of spec.linux.namespaces)
          if (namespace.type === "network") namespace.path = `/run/netns/${name}`;
      });
      const id = fixture.launch(bundle);
      const answers = fixture.path("answers");
      const script = `exec ip netns exec ${name} ${join(TOOLS, "checkpointed")} talk 127.0.0.1 80 1000000 > ${answers}`;
      client = spawn("sh", ["-c", script], { stdio: "ignore" });
      waitUntil("they talk", () => lines(answers).length > 3);
      for (const round of [1, 2]) {
        const images = imageDirectory(fixture, `images-${round}`);
        ok(checkpoint(fixture, id, images, "--tcp-established"));
        const before = lines(answers).length;
        ok(restore(fixture, id, bundle, images, "--tcp-established"));
        waitUntil("they go on", () => lines(answers).length > before + 3);
      }
      const inode = (pid: number | string) => fixture.host("readlink", `/proc/${pid}/ns/net`).stdout;
      assert.is(inode(fixture.state(id).pid), inode(client.pid ?? 0));
      client.kill("SIGKILL");
      assertUnbroken(lines(answers).slice(0, -1));
      fixture.succeed("delete", "--force", id);
      fixture.fail("does not exist", ["state", id]);
    } finally {
      client?.kill("SIGKILL");
      fixture.host("ip", "netns", "delete", name);
    }
  }),
);

test("a unix socket that is connected to outside goes on with --ext-unix-sk", () =>
  withFixture((fixture) => {
    const folder = fixture.path("sockets");
    mkdirSync(folder);
    const script =
      "import sys,socket; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); f=open(sys.argv[2],'wb',0)\nwhile True: f.write(s.recv(99))";
    const received = fixture.path("received");
    const server = spawn("python3", ["-c", script, join(folder, "s"), received], { stdio: "ignore" });
    try {
      const bundle = checkpointed(fixture, ["send", join(folder, "s")], (spec) => {
        // The kernel tells of unix sockets by network namespace, and of their names as their owners have bound them.
        shareNetwork(spec);
        spec.mounts.push({ destination: folder, type: "bind", source: folder, options: ["rbind"] });
      });
      waitUntil("it listens", () => spawnSync("test", ["-S", join(folder, "s")]).status === 0);
      const id = fixture.launch(bundle);
      waitUntil("it sends", () => lines(received).length > 3);
      assert.match(checkpoint(fixture, id, imageDirectory(fixture, "refused")).stderr, /external|unix/i);
      const images = imageDirectory(fixture, "images");
      ok(checkpoint(fixture, id, images, "--ext-unix-sk"));
      const before = lines(received).length;
      ok(restore(fixture, id, bundle, images, "--ext-unix-sk"));
      waitUntil("it goes on", () => lines(received).length > before + 3);
      fixture.succeed("delete", "--force", id);
      assert.equal(
        lines(received).map(Number),
        lines(received).map((_, index) => index + 1),
      );
    } finally {
      server.kill("SIGKILL");
    }
  }));

test("a container with a terminal gets another by its console socket", () =>
  withReceiver(async (fixture, first) => {
    const bundle = fixture.shell("n=0; while read line; do n=$((n+1)); echo $n: got $line; done", (spec) => {
      spec.process.terminal = true;
    });
    const id = fixture.launch(bundle, "--console-socket", first.socket);
    first.type("hello\n");
    await first.expect("1: got hello\r\n");
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images));
    await first.ended();
    const second = new Receiver(fixture, "second.sock");
    try {
      await second.expect("listening\n");
      const without = restore(fixture, id, bundle, images);
      assert.match(without.stderr, /cannot allocate tty if reg will detach without setting console socket/);
      ok(restore(fixture, id, bundle, images, "--console-socket", second.socket));
      second.type("again\n");
      await second.expect("2: got again\r\n");
      assert.is(fixture.succeed("exec", id, "/bin/sh", "-c", "readlink /proc/1/fd/0"), "/dev/pts/0\n");
    } finally {
      second.stop();
    }
    fixture.succeed("delete", "--force", id);
  }));

test("standard input and output that were pipes are those of restore", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("n=0; while read line; do n=$((n+1)); echo $n: got $line; done; echo end");
    const id = fixture.id();
    const images = imageDirectory(fixture, "images");
    // A shell holds the pipes: what runs in the background must not keep this program's.
    const reg = (...args: string[]) => fixture.command(...args).join(" ");
    const script = `
mkfifo in1 out1 in2 out2; exec 3<>in1 4<>out1 5<>in2 6<>out2
${reg("run", "--detach", "--bundle", bundle.path, id)} <in1 >out1 2>&1 3>&- 4>&- 5>&- 6>&- || exit 1
echo a >&3; read -r answer <&4; echo "$answer"
${reg("checkpoint", "--image-path", images, id)} || exit 1
${reg("restore", "--detach", "--bundle", bundle.path, "--image-path", images, id)} <in2 >out2 2>&1 3>&- 4>&- 5>&- 6>&- || { cat <&6; exit 1; }
echo b >&5; read -r answer <&6; echo "$answer"
exec 5>&-; read -r answer <&6; echo "$answer"`;
    const { status, stdout, stderr } = fixture.hostWith({ ...withCriu, cwd: fixture.folder }, "bash", "-c", script);
    assert.is(status, 0, stderr);
    assert.equal(stdout.trim().split("\n"), ["1: got a", "2: got b", "end"]);
  }));

/** What the container sees of its mounts, without ids. */
function mountsOf(fixture: Fixture, id: string): string[] {
  return fixture
    .succeed("exec", id, "/bin/cat", "/proc/self/mountinfo")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, , , , place, options = ""] = line.split(" ");
      const [type] = line.slice(line.indexOf(" - ") + 3).split(" ");
      return `${place} ${options} ${type}`;
    })
    .sort();
}

test("bind mounts are there again, with their attributes, in each other and below them", () =>
  withFixture((fixture) => {
    const folder = (name: string) => {
      const path = fixture.path(name);
      mkdirSync(path);
      writeFileSync(join(path, "who"), name);
      return path;
    };
    const tree = folder("tree");
    mkdirSync(join(tree, "below"));
    const inner = folder("inner");
    fixture.host("mount", "--bind", inner, join(tree, "below"));
    const bind = (destination: string, source: string, ...options: string[]) => ({
      destination,
      type: "bind",
      source,
      options: ["rbind", ...options],
    });
    const bundle = counter(fixture, (spec) => {
      spec.mounts.push(
        bind("/volume", tree, "ro", "nosuid", "nodev", "noexec"),
        bind("/data", folder("data"), "rw"),
        bind("/data/inside", folder("inside"), "ro"),
        { destination: "/data/scratch", type: "tmpfs", source: "tmpfs", options: ["mode=700", "size=1m"] },
        bind("/link/to", folder("linked")),
        bind("/etc/one", join(folder("file"), "who"), "ro"),
        bind("/dev/shm/shared", folder("shared")),
      );
    });
    // A destination that is behind a symlink of the image.
    mkdirSync(join(bundle.rootfs, "real"));
    symlinkSync("real", join(bundle.rootfs, "link"));
    const id = launchCounter(fixture, bundle);
    fixture.succeed("exec", id, "/bin/sh", "-c", "echo kept > /data/scratch/x; echo kept > /dev/shm/x");
    const before = mountsOf(fixture, id);
    cycle(fixture, id, bundle);
    assert.equal(mountsOf(fixture, id), before);
    const read = (path: string) => fixture.succeed("exec", id, "/bin/cat", path);
    assert.is(read("/volume/who"), "tree");
    assert.is(read("/volume/below/who"), "inner");
    assert.is(read("/data/inside/who"), "inside");
    assert.is(read("/real/to/who"), "linked");
    assert.is(read("/etc/one"), "file");
    assert.is(read("/dev/shm/shared/who"), "shared");
    assert.is(read("/data/scratch/x"), "kept\n");
    assert.is(read("/dev/shm/x"), "kept\n");
    fixture.host("umount", join(tree, "below"));
  }));

test("volumes that get what the host mounts later go on getting it", () =>
  withFixture((fixture) => {
    const shared = fixture.path("shared");
    mkdirSync(shared);
    fixture.host("mount", "-t", "tmpfs", "tmpfs", shared);
    fixture.host("mount", "--make-shared", shared);
    try {
      for (const name of ["a", "b", "b/later"]) mkdirSync(join(shared, name));
      const bundle = counter(fixture, (spec) => {
        for (const name of ["a", "b"])
          spec.mounts.push({ destination: `/${name}`, type: "bind", source: join(shared, name), options: ["rbind"] });
      });
      const id = launchCounter(fixture, bundle);
      cycle(fixture, id, bundle);
      fixture.host("mount", "-t", "tmpfs", "tmpfs", join(shared, "b/later"));
      assert.match(fixture.succeed("exec", id, "/bin/cat", "/proc/self/mountinfo"), / \/b\/later /);
      fixture.host("umount", join(shared, "b/later"));
      assert.not.match(fixture.succeed("exec", id, "/bin/cat", "/proc/self/mountinfo"), / \/b\/later /);
      fixture.succeed("delete", "--force", id);
    } finally {
      fixture.host("umount", "--recursive", shared);
    }
    fixture.assertNothingLeft();
  }));

// Without a pid namespace CRIU needs the same pids again, which others may have by then.
for (const type of ["cgroup", "network", "ipc", "uts"])
  test(`it goes on without a ${type} namespace of its own`, () =>
    withFixture((fixture) => {
      const bundle = counter(fixture, (spec) => {
        without(type)(spec);
        if (type === "uts") delete spec.hostname;
        if (type === "ipc") spec.mounts = spec.mounts.filter((mount) => mount.type !== "mqueue");
        if (type === "network") shareNetwork(spec);
      });
      const id = launchCounter(fixture, bundle);
      cycle(fixture, id, bundle);
      assert.is(fixture.succeed("exec", id, "/bin/cat", "/proc/self/cgroup").split("\n").length > 1, true);
      fixture.succeed("delete", "--force", id);
      fixture.assertNothingLeft();
    }));

test("a shell that has lent its standard output gets that of the restore", () =>
  withFixture((fixture) => {
    // For the time of the braces, the shell has its own output as another descriptor.
    const busy = `{ ${"echo busy; ".repeat(10)}} > /dev/null`;
    const script = `while [ ! -e /tmp/say ]; do ${busy}; done; echo said; exec sleep 100000`;
    const bundle = fixture.shell(script, (spec) => {
      spec.root.readonly = false;
    });
    const id = fixture.launch(bundle);
    const images = imageDirectory(fixture, "images");
    for (let round = 1; round <= 10; round++) {
      ok(checkpoint(fixture, id, images));
      ok(restore(fixture, id, bundle, images));
    }
    const { stdout } = fixture.lastOutput();
    writeFileSync(join(bundle.rootfs, "tmp/say"), "");
    waitUntil("it says it where it was restored", () => readFileSync(stdout, "utf8") === "said\n");
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("it goes on in a user namespace, with a volume whose ids are mapped", () =>
  withFixture((fixture) => {
    const volume = fixture.path("volume");
    mkdirSync(volume);
    writeFileSync(join(volume, "file"), "");
    const bundle = counter(fixture, (spec) => {
      spec.linux.namespaces.push({ type: "user" });
      spec.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      spec.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      spec.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind", "idmap"] });
    });
    fixture.host("chown", "-R", "100000:100000", bundle.rootfs);
    const id = launchCounter(fixture, bundle);
    const owner = () => fixture.succeed("exec", id, "/bin/stat", "-c", "%u", "/volume/file");
    assert.is(owner(), "0\n");
    cycle(fixture, id, bundle);
    assert.is(owner(), "0\n");
    assert.match(fixture.succeed("exec", id, "/bin/cat", "/proc/self/uid_map"), /0\s+100000\s+65536/);
  }));

test("hooks make the container again: prestart and createRuntime, and poststop at its ends", () =>
  withFixture((fixture) => {
    const note = (name: string) => [
      { path: "/bin/sh", args: ["sh", "-c", `cat >> ${fixture.path(name)}; echo ${name} >> ${fixture.path("order")}`] },
    ];
    const bundle = counter(fixture, (spec) => {
      spec.hooks = {
        prestart: note("prestart"),
        createRuntime: note("createRuntime"),
        createContainer: note("createContainer"),
        poststart: note("poststart"),
        poststop: note("poststop"),
      };
    });
    const id = launchCounter(fixture, bundle);
    cycle(fixture, id, bundle);
    const made = ["prestart", "createRuntime", "createContainer", "poststart", "poststop", "prestart", "createRuntime"];
    assert.equal(lines(fixture.path("order")), made);
    const seen = fixture.read("createRuntime").split("}{").at(-1) ?? "";
    assert.match(seen, new RegExp(`"pid":${fixture.state(id).pid},"status":"creating"`));
    fixture.succeed("delete", "--force", id);
    assert.equal(lines(fixture.path("order")), [...made, "poststop"]);
  }));

test("a hook that fails ends the restore, and nothing is left", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const id = launchCounter(fixture, bundle);
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images));
    const config = JSON.parse(readFileSync(join(bundle.path, "config.json"), "utf8"));
    config.hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", "echo no network >&2; exit 1"] }] };
    writeFileSync(join(bundle.path, "config.json"), JSON.stringify(config));
    const failed = restore(fixture, id, bundle, images);
    assert.is(failed.status, 1);
    assert.match(failed.stderr, /createRuntime.*no network/s);
    fixture.assertNothingLeft();
  }));

test("limits hold for what was restored", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture, (spec) => {
      spec.linux.resources = { ...spec.linux.resources, pids: { limit: 3 }, memory: { limit: 32 * 1024 * 1024 } };
    });
    const id = launchCounter(fixture, bundle);
    cycle(fixture, id, bundle);
    const { data } = JSON.parse(fixture.succeed("events", "--stats", id));
    assert.is(data.pids.limit, 3);
    assert.is(data.memory.usage.limit, 32 * 1024 * 1024);
  }));

test("50 times in a row, and nothing of it stays", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const id = launchCounter(fixture, bundle);
    for (let round = 1; round <= 50; round++) cycle(fixture, id, bundle);
    const log = lines(join(bundle.rootfs, "tmp/log")).map(Number);
    // A number that was shown before its checkpoint may be shown once more.
    const jumps = log.filter((number, index) => index > 0 && ![0, 1].includes(number - (log[index - 1] ?? 0)));
    assert.equal(jumps, []);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

outside.run();
