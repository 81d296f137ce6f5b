/** Command lines that are wrong, commands for containers that are not there, and where the errors go. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { REG, TOP } from "../paths.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";
import { create, refuses, regItself } from "./expect.ts";

const line = suite("command line");
const test = needs(line, regItself, root, mounting, cgroups);
const withPython = needs(line, regItself, root, mounting, program("python3"));
const onNode = needs(line, regItself);

const ID_HINT = "\nhint: use 1 to 255 letters, digits and the characters _ + - . only; not . or ..";
const IDS: [name: string, id: string, shown: string][] = [
  ["..", "..", '".."'],
  [".", ".", '"."'],
  ["a path", "a/b", '"a/b"'],
  ["an absolute path", "/etc", '"/etc"'],
  ["empty", "", '""'],
  ["with a blank", "a b", '"a b"'],
  ["with a line end", "a\nb", '"a\\nb"'],
  ["not ASCII", "é", '"é"'],
  ["a pattern", "*", '"*"'],
  ["of 256 letters", "a".repeat(256), `"${"a".repeat(64)}..."`],
];
for (const [name, id, shown] of IDS)
  test(`an id that is ${name}`, () =>
    refuses(`invalid container ID format: ${shown}${ID_HINT}`, ({ fixture, bundle }) =>
      fixture.reg("create", "--bundle", bundle.path, "--", id),
    ));
for (const command of ["start", "state", "kill", "delete"])
  test(`${command} with an id that leads out of the root`, () =>
    refuses(`invalid container ID format: "../x"${ID_HINT}`, ({ fixture }) => fixture.reg(command, "../x")));

const usage = (command: string, rest: string) =>
  `\nhint: usage: reg ${command}${rest}; reg ${command} --help explains it`;
const OVERVIEW = "\nhint: reg --help lists the commands and options";

const LINES: [args: string[], message: string][] = [
  [["klil"], "unknown command: klil\nhint: did you mean reg kill?"],
  [["frobnicate"], "unknown command: frobnicate\nhint: reg --help lists the commands"],
  [["snapshot-x"], "unknown command: snapshot-x\nhint: reg --help lists the commands"],
  [[""], "unknown command: \nhint: reg --help lists the commands"],
  [["\x1b[31m"], "unknown command: \\x1b[31m\nhint: reg --help lists the commands"],
  [["--nope", "list"], `unknown option --nope${OVERVIEW}`],
  [["--rot", "/x", "list"], "unknown option --rot\nhint: did you mean --root?"],
  [["--constructor"], `unknown option --constructor${OVERVIEW}`],
  [["-x"], `unknown option -x${OVERVIEW}`],
  [["--root"], `not enough arguments following: root${OVERVIEW}`],
  [["--log-level", "loud", "list"], `--log-level loud: expected one of error, warning, info, debug${OVERVIEW}`],
  [["--log-format", "xml", "list"], `--log-format xml: expected one of text, json${OVERVIEW}`],
  [["--cgroup-manager", "me", "list"], `--cgroup-manager me: expected one of cgroupfs, systemd, disabled${OVERVIEW}`],
  [["--rootless", "maybe", "list"], `--rootless maybe: expected one of true, false, auto${OVERVIEW}`],
  [["--debug=perhaps", "list"], `--debug perhaps: expected true or false${OVERVIEW}`],
  [
    ["--systemd-cgroup", "--cgroup-manager", "disabled", "list"],
    `--systemd-cgroup and --cgroup-manager disabled contradict each other${usage("list", " [options]")}`,
  ],
  [["list", "--format", "yaml"], `--format yaml: expected one of table, json${usage("list", " [options]")}`],
  [["list", "extra"], `unexpected argument: extra${usage("list", " [options]")}`],
  [
    ["run", "x", "--bundel", "."],
    "unexpected argument: --bundel\nhint: options stand before the id; did you mean --bundle?",
  ],
  [["run", "x", "--bundle=."], "unexpected argument: --bundle=.\nhint: options stand before the id"],
  [["start"], `missing argument: id${usage("start", " <id>")}`],
  [["start", "a", "b"], `unexpected argument: b${usage("start", " <id>")}`],
  [["create", "--bundel", "x", "y"], "unknown option --bundel\nhint: did you mean --bundle?"],
  [
    ["create", "--preserve-fds", "many", "x"],
    `--preserve-fds many: expected a number${usage("create", " [options] <id>")}`,
  ],
  [["kill", "nope", "FOO"], 'unknown signal "FOO"\nhint: a number up to 64, or a name such as TERM'],
  [["kill", "nope", "65"], 'unknown signal "65"\nhint: a number up to 64, or a name such as TERM'],
  [["kill", "nope", "-9"], 'unknown signal "-9"\nhint: a number up to 64, or a name such as TERM'],
  [["kill", "nope", ""], 'unknown signal ""\nhint: a number up to 64, or a name such as TERM'],
  [["kill", "nope"], 'container "nope" does not exist'],
  [["kill", "--all", "nope"], 'container "nope" does not exist'],
  [["start", "nope"], 'container "nope" does not exist'],
  [["state", "nope"], 'container "nope" does not exist'],
  [["delete", "nope"], 'container "nope" does not exist'],
  [["delete", "--regex", "("], `not a regular expression: (${usage("delete", " [options] <id>")}`],
  [["help", "nope"], "unknown command: nope\nhint: reg --help lists the commands"],
  [["completion", "ksh"], "unknown shell: ksh\nhint: bash, zsh or fish"],
  [["init"], `missing argument: base${usage("init", " <base>")}`],
  [["init", "x"], "init is started by reg itself\nhint: see reg create and reg run"],
  [["spec", "--bundle", "/nope"], "openat(2) /nope/config.json: no such file or directory (ENOENT)"],
  [
    ["plan", "--bundle", "/nope"],
    "openat(2) /nope/config.json: no such file or directory (ENOENT)\nhint: a bundle is a directory with a config.json: see reg spec",
  ],
  [["--log", "/nope/log", "list"], "cannot log to /nope/log: openat(2) /nope/log: no such file or directory (ENOENT)"],
  [["--log", "/", "list"], "cannot log to /: openat(2) /: is a directory (EISDIR)"],
];
for (const [args, message] of LINES)
  test(`reg ${args.join(" ")}`, () => refuses(message, ({ fixture }) => fixture.reg(...args)));

test("fewer than no descriptors", () =>
  refuses(`--preserve-fds -1: expected 0 or more${usage("create", " [options] <id>")}`, (scene) =>
    create(scene, "--preserve-fds", "-1"),
  ));

test("spec does not write over a file", () =>
  refuses("File config.json exists. Remove it first", ({ fixture, bundle }) =>
    fixture.reg("spec", "--bundle", bundle.path),
  ));

test("a missing container is no error for delete --force", () =>
  withFixture((fixture) => {
    assert.equal(fixture.reg("delete", "--force", "nope"), { status: 0, stdout: "", stderr: "" });
  }));

/** What other programs match in messages, and who does: the texts are in runtime/errors/messages.ts. */
const STATES: [caller: string, words: string, call: (fixture: Fixture) => string][] = [
  ["containerd: kill of a container that has ended", "container not running", (fixture) => afterEnd(fixture, "kill")],
  [
    "users of runc: start of a container that has ended",
    "cannot start a container that has stopped",
    (fixture) => afterEnd(fixture, "start"),
  ],
  [
    "users of runc: start of a running container",
    "cannot start an already running container",
    (fixture) => whileRunning(fixture, "start"),
  ],
  [
    "users of runc: delete of a running container",
    "that is not stopped: running",
    (fixture) => whileRunning(fixture, "delete"),
  ],
  ["containerd: delete of a missing container", "does not exist", (fixture) => fixture.reg("delete", "nope").stderr],
  [
    "Podman, exit status 127: no program",
    "executable file not found in $PATH",
    (fixture) => failedCreate(fixture, "nope"),
  ],
  ["Podman, exit status 127: no file", "no such file or directory", (fixture) => failedCreate(fixture, "/nope")],
  ["Podman, exit status 126: a folder", "permission denied", (fixture) => failedCreate(fixture, "/etc")],
];

function whileRunning(fixture: Fixture, command: string): string {
  return fixture.reg(command, fixture.launch(fixture.sleeper())).stderr;
}

function afterEnd(fixture: Fixture, command: string): string {
  const id = fixture.launch(fixture.bundle(["/bin/true"]));
  fixture.waitForStatus(id, "stopped");
  return fixture.reg(command, id).stderr;
}

function failedCreate(fixture: Fixture, program: string): string {
  return fixture.reg("create", "--bundle", fixture.bundle([program]).path, fixture.id()).stderr;
}

for (const [caller, words, call] of STATES)
  test(`words for ${caller}`, () => withFixture((fixture) => assert.match(call(fixture), words)));

/** What Podman does: the whole file is one JSON object. */
function onlyRecord(path: string): { level: string; msg: string; time: string } {
  return JSON.parse(readFileSync(path, "utf8"));
}

test("a failure is one record in the log, with the warnings before it inside, and plain text on stderr", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/nope"], (spec) => {
      spec.process.capabilities = { bounding: ["CAP_FLY"] };
    });
    const log = fixture.path("log.json");
    const args = ["--log", log, "--log-format=json", "create", "--bundle", bundle.path, fixture.id()];
    const { stderr } = fixture.reg(...args);
    const record = onlyRecord(log);
    assert.equal(Object.keys(record), ["level", "msg", "time"]);
    assert.is(record.level, "error");
    assert.match(record.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.is(
      record.msg,
      'exec: "/nope": stat /nope: no such file or directory [/process/args/0]\nwarning: capability CAP_FLY is unknown and was ignored',
    );
    assert.is(stderr, `reg: ${record.msg}\n`);
  }));

test("a success leaves its warnings in the log and nothing on stderr", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"], (spec) => {
      spec.process.capabilities = { bounding: ["CAP_FLY"] };
    });
    const log = fixture.path("log.json");
    const { stderr } = fixture.reg("--log", log, "--log-format=json", "run", "--bundle", bundle.path, fixture.id());
    assert.is(stderr, "");
    assert.is(onlyRecord(log).level, "warning");
  }));

test("--debug notes properties that are close to a known one", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"], (spec) => {
      spec.hostnam = "x";
      spec.linux.maskedPath = [];
      delete spec.hostname;
    });
    const { stderr, status } = fixture.reg("--debug", "run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0);
    assert.match(stderr, 'reg: debug: config.json: nothing reads /hostnam; did you mean "hostname"?\n');
    assert.is(fixture.reg("run", "--bundle", bundle.path, fixture.id()).stderr, "");
  }));

/** A receiver of datagrams at `path`, as rsyslogd or journald; prints the first one that comes. */
const RECEIVER = `
import os, socket, subprocess, sys
path, command = sys.argv[1], sys.argv[2:]
os.makedirs(os.path.dirname(path), exist_ok=True)
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(path)
receiver.settimeout(5)
subprocess.run(command, stdin=sys.stdin, stderr=subprocess.PIPE)
sys.stdout.write(receiver.recv(65536).decode())
`;

/** What a service receives. It listens in a mount namespace of its own, so that the machine's own service does not. */
function received(fixture: Fixture, cover: string, path: string, target: string): string {
  const script = `mount -t tmpfs tmpfs ${cover} && exec python3 "$@"`;
  const command = [REG, "--root", fixture.root, "--log", target, "state", "nope"];
  const args = ["--mount", "sh", "-c", script, "sh", fixture.write("receiver.py", RECEIVER), path, ...command];
  const { stdout, stderr } = fixture.host("unshare", ...args);
  return stdout === "" ? stderr : stdout;
}

withPython("--log syslog:ID sends a datagram of syslog(3)", () =>
  withFixture((fixture) => {
    // daemon (3) * 8 + error (3)
    assert.match(
      received(fixture, "/dev", "/dev/log", "syslog:web"),
      /^<27>web\[\d+\]: container "nope" does not exist$/,
    );
  }),
);

withPython("--log journald:ID sends fields of the native protocol", () =>
  withFixture((fixture) => {
    assert.is(
      received(fixture, "/run", "/run/systemd/journal/socket", "journald:web"),
      'SYSLOG_IDENTIFIER=web\nPRIORITY=3\nMESSAGE=container "nope" does not exist\n',
    );
  }),
);

test("help is printed for no command at all, as runc does", () =>
  withFixture((fixture) => {
    const { status, stdout, stderr } = fixture.reg();
    assert.is(status, 0);
    assert.match(stdout, /^Usage: reg /);
    assert.is(stderr, "");
    assert.is(fixture.reg("--help").stdout, stdout);
    assert.is(fixture.reg("-h").stdout, stdout);
    assert.is(fixture.reg("help").stdout, stdout);
  }));

test("hidden options are accepted and not shown", () =>
  withFixture((fixture) => {
    assert.not.match(fixture.succeed("run", "--help"), /subreaper/);
    assert.not.match(fixture.succeed("restore", "--help"), /subreaper/);
  }));

test("a checkpoint is offered, which Podman asks by its help", () =>
  withFixture((fixture) => assert.match(fixture.succeed("checkpoint", "--help"), /--image-path/)));

test("--criu is taken from old callers that name it for every command", () =>
  withFixture((fixture) => assert.is(fixture.succeed("--criu", "/usr/sbin/criu", "list", "--quiet"), "")));

/** Docker's reading: the name and the version around the word "version", the commit after its own. */
test("--version has one line with the word version", () =>
  withFixture((fixture) => {
    const lines = fixture.succeed("--version").trimEnd().split("\n");
    assert.equal(
      lines.filter((line) => line.includes("version")),
      [lines[0] ?? ""],
    );
    assert.match(lines[0] ?? "", /^reg version \d+\.\d+\.\d+$/);
    assert.match(lines.join("\n"), /^spec: 1\.\d+\.\d+$/m);
  }));

onNode("help is the same on both hosts", () =>
  withFixture((fixture) => {
    for (const args of [["--help"], ["create", "--help"], ["kill", "--help"], ["help", "plan"]]) {
      const main = join(TOP, "dist/runtime/main.js");
      const { stdout } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
      assert.is(stdout, fixture.succeed(...args));
    }
  }),
);

test("plan works for anybody and changes nothing", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"]);
    writeFileSync(join(bundle.path, "note"), "");
    const args = [REG, "--root", fixture.root, "plan", "--bundle", bundle.path];
    const asRoot = fixture.host(...args);
    assert.match(asRoot.stdout, /^1\. cgroup \(version [12], cgroupfs\)$/m);
    assert.match(asRoot.stdout, / {2}\/mounts\/0$/m);
    const asNobody = fixture.host("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", ...args);
    assert.is(asNobody.stderr, "");
    assert.is(asNobody.status, 0);
    const { stages, plan } = JSON.parse(fixture.host(...args, "--format", "json").stdout);
    assert.is(stages.at(-1).steps.at(-1).what, "run /bin/true");
    assert.is(plan.process.args[0], "/bin/true");
    fixture.assertNothingLeft();
  }));

line.run();
