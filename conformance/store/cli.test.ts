/** reg-env as a user has it: a process with arguments, output and an exit status, and containers run by reg. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { objectPath, storeDirectory } from "../../runtime/reg/layout.ts";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import { writeBundle } from "../../runtime/reg-env/bundle.ts";
import { listObjects } from "../../runtime/reg-env/store/contents.ts";
import { readManifest } from "../../runtime/reg-env/store/environment.ts";
import { BUILD, TOP } from "../paths.ts";
import { cgroups, findProgram, mounting, need, needs, program, root } from "../testing.ts";
import { closureOf, generate, makeStore, temporaryDirectory } from "./fixture.ts";

const cli = suite("reg-env");
const busybox = findProgram("busybox");
const test = needs(cli, root, mounting, cgroups, need("a busybox", busybox !== undefined));

const top = temporaryDirectory();
const source = join(top, "root");
fs.mkdirSync(join(source, "bin"), { recursive: true });
if (busybox !== undefined) fs.copyFileSync(busybox, join(source, "bin/busybox"));
fs.writeFileSync(join(source, "bin/note"), "a file of another environment");

const NATIVE = join(BUILD, "reg"); // no other runtime has the extension
const MAIN = join(TOP, "dist/runtime/reg-env/main.js");
let count = 0;

/** A store with busybox@1, and with note@1 that has one file more. */
async function newStore(): Promise<string> {
  const directory = join(top, `store${count++}`);
  const store = makeStore(directory);
  const command = { args: ["/bin/busybox", "echo", "hello"], env: ["GREETING=good day"], cwd: "/" };
  await generate(store, "busybox@1", closureOf(source, ["/bin/busybox"]), { command });
  await generate(store, "note@1", closureOf(source, ["/bin/busybox", "/bin/note"]));
  return directory;
}

function regEnv(store: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const separator = args.indexOf("--");
  const at = separator === -1 ? args.length : separator;
  const line = [MAIN, ...args.slice(0, at), "--store", store, ...args.slice(at)];
  const { status, stdout, stderr } = spawnSync(process.execPath, line, {
    encoding: "utf8",
    env: { ...process.env, REG: NATIVE },
  });
  return { status, stdout, stderr };
}

test("runs the environment's command, or another one, and passes its exit status on", async () => {
  const store = await newStore();
  assert.equal(regEnv(store, "run", "busybox@1"), { status: 0, stdout: "hello\n", stderr: "" });
  const shell = (script: string, ...options: string[]) =>
    regEnv(store, "run", "busybox@1", ...options, "--", "/bin/busybox", "sh", "-c", script);
  assert.is(shell("exit 7").status, 7);
  assert.is(shell("echo $GREETING $NAME", "--env", "NAME=you").stdout, "good day you\n");
  assert.is(shell("echo x >/tmp/x && busybox cat /tmp/x 2>/dev/null || /bin/busybox cat /tmp/x").stdout, "x\n");
  assert.match(shell("echo x >/bin/x", "--writable", "none").stderr, /[Rr]ead-only/);
});

test("with the host's network names are looked up as on the host", async () => {
  const store = await newStore();
  const read = (...options: string[]) =>
    regEnv(store, "run", "busybox@1", ...options, "--", "/bin/busybox", "cat", "/etc/resolv.conf").stdout;
  assert.is(read("--network", "host"), fs.readFileSync("/etc/resolv.conf", "utf8"));
  assert.is(read(), "");
});

test("environments are run together, and a directory is mounted", async () => {
  const store = await newStore();
  const work = join(top, "work");
  fs.mkdirSync(work);
  fs.writeFileSync(join(work, "input"), "from outside");
  const args = ["run", "busybox@1", "note@1", "--workdir", `${work}:/src:ro`, "--cwd", "/src"];
  const { stdout, stderr } = regEnv(store, ...args, "--", "/bin/busybox", "cat", "/bin/note", "input");
  assert.is(stdout, "a file of another environmentfrom outside", stderr);
});

test("an unknown environment, a command line that is wrong, and a store that is not there are explained", async () => {
  const store = await newStore();
  const { status, stderr } = regEnv(store, "run", "busybox@2");
  assert.is(status, 1);
  assert.match(
    stderr,
    /^reg-env: environment busybox@2 is not in the store .*; installed: busybox@1\nhint: did you mean busybox@1\?\n$/,
  );
  assert.match(regEnv(store, "run", "busybox").stderr, /has no version\nhint: .*python@3.11/);
  assert.match(regEnv(store, "lsit").stderr, /Did you mean list\?/);
  assert.match(regEnv(store, "list", "--nonsense").stderr, /Unknown argument: nonsense/);
  assert.match(regEnv(join(top, "nowhere"), "list").stderr, /there is nothing at the store .*\nhint: reg-env generate/);
  assert.match(regEnv(store, "run", "busybox@1", "--writable", "disk").stderr, /none, tmpfs, tmpfs:SIZE/);
});

test("lists, explains and counts", async () => {
  const store = await newStore();
  const list = JSON.parse(regEnv(store, "list", "--format", "json").stdout) as { name: string; files: number }[];
  assert.equal(
    list.map(({ name, files }) => [name, files]),
    [
      ["busybox@1", 4],
      ["note@1", 5],
    ],
  );
  assert.match(regEnv(store, "list").stdout, /^ENVIRONMENT +FILES +SIZE +UNITS +COMMAND\nbusybox@1 +4 +[\d.]+ MB/);
  assert.match(
    regEnv(store, "explain", "note@1", "/bin/note").stdout,
    /^\/bin\/note +\(note-files@1, 29 B, in 1 environment\)\n +test: asked for\n$/,
  );
  assert.match(regEnv(store, "explain", "note@1", "/bin/busybox").stdout, /in 2 environments/);
  assert.match(
    regEnv(store, "explain", "note@1", "/lib/note").stderr,
    /has no \/lib\/note\nhint: there is \/bin\/note/,
  );
  assert.match(regEnv(store, "stats").stdout, /in copies they would take .* is shared/);
});

test("says in JSON what tag, export, run --detach and uninstall did", async () => {
  const store = await newStore();
  const json = (...args: string[]) => {
    const { status, stdout, stderr } = regEnv(store, ...args);
    assert.is(status, 0, stderr);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const { tree } = readManifest(makeStore(store), parseEnvironmentName("busybox@1"));
  assert.equal(json("tag", "busybox@1", "shell@1", "--format", "json"), {
    environment: "shell@1",
    tree,
    changed: true,
  });
  const folder = join(top, `exported${count++}`);
  assert.equal(json("export", "shell@1", folder, "--json"), {
    environment: "shell@1",
    destination: folder,
    format: "directory",
  });
  const image = json("export", "shell@1", `${folder}.tar`, "--format", "oci-archive", "--json");
  assert.match(String(image.digest), /^sha256:[0-9a-f]{64}$/);
  assert.is(typeof image.layers, "number");
  const line = ["--format", "json", "--", "/bin/busybox", "sleep", "60"];
  const { name, output } = json("run", "shell@1", "--detach", ...line) as { name: string; output: string };
  try {
    assert.ok(fs.existsSync(output));
  } finally {
    spawnSync(NATIVE, ["delete", "--force", name]);
  }
  assert.match(regEnv(store, "run", "shell@1", "--format", "json").stderr, /--format json goes with --detach/);
  assert.equal(json("uninstall", "shell@1", "note@1", "--format", "json"), { removed: ["shell@1", "note@1"] });
});

test("verify names what is damaged, and ends with 1", async () => {
  const store = await newStore();
  const fine = regEnv(store, "verify");
  assert.equal([fine.status, fine.stderr], [0, ""]);
  assert.match(fine.stdout, /: all in order\n$/);
  const directory = storeDirectory(store, "default");
  const sizes = listObjects(directory).map((key) => objectPath(directory, key));
  const [path = ""] = sizes.filter((each) => fs.statSync(each).size === 29);
  fs.appendFileSync(path, "!");
  const { status, stdout } = regEnv(store, "verify");
  assert.is(status, 1);
  assert.match(stdout, /\/bin\/note: it has 30 bytes, not 29.* \(in note@1\)\n.*: 1 fault\nhint: /s);
});

test("an environment goes to another store and runs there", async () => {
  const store = await newStore();
  const other = join(top, `store${count++}`);
  const directory = join(top, "busybox-exported");
  assert.is(regEnv(store, "export", "busybox@1", directory).status, 0);
  const { stdout, stderr } = regEnv(other, "install", directory);
  assert.match(stdout, /^busybox@1: 2 units, 2 new objects/, stderr);
  assert.is(regEnv(other, "run", "busybox@1").stdout, "hello\n");
  assert.match(regEnv(other, "install", directory).stdout, /was there already, the same/);
});

test("gc leaves what a running container has, and removes it afterwards", async () => {
  const store = await newStore();
  const args = [
    MAIN,
    "run",
    "busybox@1",
    "--store",
    store,
    "--",
    "/bin/busybox",
    "sh",
    "-c",
    "echo up; read line; /bin/busybox echo still here",
  ];
  const child = spawn(process.execPath, args, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, REG: NATIVE },
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  try {
    await once(child.stdout, "data");
    regEnv(store, "uninstall", "busybox@1");
    regEnv(store, "uninstall", "note@1");
    const { stdout } = regEnv(store, "gc");
    assert.match(
      stdout,
      /^removed 1 object \(29 B\), 1 unit, 1 tree.*\nkept 1 tree for containers that run\n$/,
      stdout,
    );
  } finally {
    child.stdin.end("\n");
    await once(child, "exit");
  }
  assert.is(output, "up\nstill here\n");
  assert.match(regEnv(store, "gc").stdout, /^removed 2 objects .*, 2 units, 1 tree/);
  assert.equal(listObjects(storeDirectory(store, "default")), []);
});

test("a bundle of an environment runs without the store", async () => {
  const store = await newStore();
  const opened = makeStore(store);
  const bundle = join(top, "bundle");
  await writeBundle(opened, readManifest(opened, parseEnvironmentName("busybox@1")), bundle);
  fs.rmSync(store, { recursive: true });
  const { stdout, stderr } = spawnSync(NATIVE, ["run", "--bundle", bundle, `bundle-${process.pid}`], {
    encoding: "utf8",
  });
  assert.equal([stdout, stderr], ["hello\n", ""]);
  assert.is(fs.statSync(join(bundle, "rootfs/tmp")).mode & 0o7777, 0o1777);
});

test("generate finds what a program needs; the same input has the same digest, and a bundle runs without the store", async () => {
  const [one, two] = [join(top, `store${count++}`), join(top, `store${count++}`)];
  const bundle = join(top, "date-bundle");
  const args = ["generate", "date@1", "--env", "TZ=Etc/GMT-3", "--preset", "timezone"];
  const command = ["--", "date", "+%z"];
  const first = regEnv(one, ...args, "--bundle", bundle, ...command);
  const second = regEnv(two, ...args, ...command);
  assert.match(
    first.stdout,
    /^date@1: \d+ units, \d+ new objects .*, tree [0-9a-f]{12}, \d+ files\nbundle in /,
    first.stderr,
  );
  const digest = (text: string) => /tree ([0-9a-f]{12})/.exec(text)?.[1];
  assert.is(digest(first.stdout), digest(second.stdout));
  assert.is(regEnv(one, "run", "date@1").stdout, "+0300\n");
  assert.match(regEnv(one, "explain", "date@1", "/bin/date").stdout, /a program that was asked for/);
  assert.match(
    regEnv(one, "generate", "date@1", ...command).stderr,
    /date@1 is there already, and differs\nhint: .*--replace/,
  );
  assert.match(regEnv(one, "generate", "x@1").stderr, /nothing is asked for\nhint: /);
  assert.match(
    regEnv(one, "generate", "x@1", "--program", "nonsense").stderr,
    /the program nonsense is not in the PATH/,
  );
  fs.rmSync(one, { recursive: true });
  const { stdout } = spawnSync(NATIVE, ["run", "--bundle", bundle, `date-${process.pid}`], { encoding: "utf8" });
  assert.is(stdout, "+0300\n");
});

needs(
  cli,
  root,
  mounting,
  cgroups,
  program("strace"),
)("generate takes what a traced run touched", () => {
  const store = join(top, `store${count++}`);
  const traced = regEnv(
    store,
    "generate",
    "cat@1",
    "--trace",
    "--trace",
    "cat /etc/issue",
    "--",
    "cat",
    "/etc/os-release",
  );
  assert.match(traced.stdout, /cat@1: /, traced.stderr);
  assert.match(regEnv(store, "run", "cat@1").stdout, /^PRETTY_NAME=/);
  assert.match(regEnv(store, "explain", "cat@1", "/etc/issue").stdout, /trace: a traced run opened it/);
});

cli.run();
