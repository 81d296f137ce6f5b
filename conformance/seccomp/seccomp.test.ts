/** linux.seccomp, with real programs under real filters. */
import { spawn } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { TOOLS } from "../paths.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";
import { engineProfile, type Profile, type Rule } from "./profile.ts";

const seccomp = suite("seccomp");
const test = needs(seccomp, root, mounting, cgroups);

/** Its number on this machine. */
const MKNODAT = process.arch === "arm64" ? 33 : 259;

const mkdir = (rule: Partial<Rule>): Profile => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", ...rule }],
});

function under(profile: Profile | undefined, noNewPrivileges = true): (spec: Spec) => void {
  return (spec) => {
    spec.root.readonly = false;
    spec.process.noNewPrivileges = noNewPrivileges;
    if (profile !== undefined) spec.linux.seccomp = profile;
  };
}

/** Runs a line of shell under a filter. */
function runUnder(fixture: Fixture, profile: Profile | undefined, script: string, noNewPrivileges = true): Result {
  const bundle = fixture.shell(script, under(profile, noNewPrivileges));
  return fixture.reg("run", "--bundle", bundle.path, fixture.id());
}

const SHOW = "mkdir /tmp/a && echo made; grep Seccomp: /proc/self/status | tr -d '\\t'";

for (const noNewPrivileges of [true, false])
  test(`the errno of a rule is what programs get, ${noNewPrivileges ? "with" : "without"} no-new-privileges`, () =>
    withFixture((fixture) => {
      const result = runUnder(fixture, mkdir({ errnoRet: 28 }), SHOW, noNewPrivileges);
      assert.match(result.stderr, "No space left on device");
      assert.is(result.stdout, "Seccomp:2\n");
      assert.match(runUnder(fixture, mkdir({}), SHOW, noNewPrivileges).stderr, "Operation not permitted");
      fixture.assertNothingLeft();
    }));

test("what only the runtime calls may be forbidden", () =>
  withFixture((fixture) => {
    const profile: Profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["close_range", "getcwd", "openat2", "fsopen"], action: "SCMP_ACT_ERRNO" }],
    };
    for (const noNewPrivileges of [true, false])
      assert.is(runUnder(fixture, profile, "echo hello", noNewPrivileges).stdout, "hello\n");
  }));

/** What reg calls on its way, and a program that does nothing does not. */
const OF_THE_RUNTIME = [
  ..."statx sendmsg recvmsg faccessat faccessat2 openat2 getcwd close_range clone3 clone fork vfork setsid fchown fsopen".split(
    " ",
  ),
  ..."capget mount setns unshare socket connect sendto recvfrom poll ppoll pidfd_open waitid chdir chroot accept4 dup3".split(
    " ",
  ),
];

for (const noNewPrivileges of [true, false])
  test(`a profile that kills for what the runtime calls lets containers start, ${noNewPrivileges ? "with" : "without"} no-new-privileges`, () =>
    withFixture((fixture) => {
      const profile: Profile = {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: OF_THE_RUNTIME, action: "SCMP_ACT_KILL_PROCESS" }],
      };
      const change = under(profile, noNewPrivileges);
      const bundle = fixture.bundle(["/bin/true"], change);
      assert.equal(fixture.reg("run", "--bundle", bundle.path, fixture.id()), { status: 0, stdout: "", stderr: "" });
      const id = fixture.launch(bundle);
      fixture.waitForStatus(id, "stopped");
      fixture.succeed("delete", id);
      const sleeper = fixture.launch(fixture.sleeper(change));
      fixture.succeed("exec", sleeper, "/bin/true");
      fixture.succeed("exec", "--user", "7:8", sleeper, "/bin/true");
      fixture.succeed("delete", "--force", sleeper);
      // In the pid namespace of another, too.
      const first = fixture.launch(fixture.sleeper());
      const { pid } = fixture.state(first);
      const joining = fixture.bundle(["/bin/true"], (spec) => {
        change(spec);
        for (const namespace of spec.linux.namespaces)
          if (namespace.type === "pid") namespace.path = `/proc/${pid}/ns/pid`;
      });
      fixture.succeed("run", "--bundle", joining.path, fixture.id());
      fixture.succeed("delete", "--force", first);
      fixture.assertNothingLeft();
    }));

for (const noNewPrivileges of [true, false])
  test(`startContainer hooks are filtered, ${noNewPrivileges ? "with" : "without"} no-new-privileges`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(["/bin/true"], (spec) => {
        under(mkdir({}), noNewPrivileges)(spec);
        spec.hooks = { startContainer: [{ path: "/bin/mkdir", args: ["mkdir", "/tmp/by-hook"] }] };
      });
      fixture.fail(/startContainer hook .*Operation not permitted/, ["run", "--bundle", bundle.path, fixture.id()]);
      const id = fixture.create(bundle);
      fixture.fail(/startContainer hook .*Operation not permitted/, ["start", id]);
      fixture.succeed("delete", "--force", id);
      fixture.assertNothingLeft();
    }));

test("without a profile nothing is filtered", () =>
  withFixture((fixture) => {
    assert.is(runUnder(fixture, undefined, SHOW).stdout, "made\nSeccomp:0\n");
    assert.is(runUnder(fixture, { defaultAction: "" }, SHOW).stdout, "made\nSeccomp:0\n");
    assert.is(runUnder(fixture, { defaultAction: "SCMP_ACT_ALLOW" }, SHOW).stdout, "made\nSeccomp:2\n");
  }));

for (const action of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
  test(`${action} ends the program with SIGSYS`, () =>
    withFixture((fixture) => {
      assert.is(runUnder(fixture, mkdir({ action }), "mkdir /tmp/a; echo $?").stdout, "159\n");
    }));

test("SCMP_ACT_LOG lets the call through", () =>
  withFixture((fixture) => {
    assert.is(runUnder(fixture, mkdir({ action: "SCMP_ACT_LOG" }), SHOW).stdout, "made\nSeccomp:2\n");
  }));

test("unknown names and rules that change nothing are left out", () =>
  withFixture((fixture) => {
    const profile = mkdir({ names: ["mkdir", "no_such_call"] });
    profile.syscalls?.push({ names: ["read"], action: "SCMP_ACT_ALLOW" });
    assert.match(runUnder(fixture, profile, SHOW).stderr, "Operation not permitted");
  }));

// mkdir(path, mode): busybox makes directories with mode 0777.
const operators: [op: string, value: number, valueTwo: number, refused: boolean][] = [
  ["SCMP_CMP_EQ", 0o777, 0, true],
  ["SCMP_CMP_EQ", 0o700, 0, false],
  ["SCMP_CMP_NE", 0o777, 0, false],
  ["SCMP_CMP_LT", 0o777, 0, false],
  ["SCMP_CMP_LE", 0o777, 0, true],
  ["SCMP_CMP_GE", 0o777, 0, true],
  ["SCMP_CMP_GT", 0o776, 0, true],
  ["SCMP_CMP_MASKED_EQ", 0o7, 0o7, true],
  ["SCMP_CMP_MASKED_EQ", 0o1007, 0o1007, false],
];
for (const [op, value, valueTwo, refused] of operators)
  test(`${op} ${value.toString(8)} ${valueTwo.toString(8)} ${refused ? "holds" : "does not hold"}`, () =>
    withFixture((fixture) => {
      const profile = mkdir({ names: ["mkdir"], args: [{ index: 1, value, valueTwo, op }] });
      assert.is(runUnder(fixture, profile, "mkdir /tmp/a 2>/dev/null && echo made").stdout, refused ? "" : "made\n");
    }));

test("conditions on different arguments hold together, on the same one apart", () =>
  withFixture((fixture) => {
    const made = (args: Rule["args"] & object) =>
      runUnder(fixture, mkdir({ names: ["mkdir"], args }), "mkdir /tmp/a 2>/dev/null && echo made").stdout !== "";
    const mode = (value: number) => ({ index: 1, value, op: "SCMP_CMP_EQ" });
    assert.is(made([mode(0o777), { index: 0, value: 0, op: "SCMP_CMP_EQ" }]), true);
    assert.is(made([mode(0o777), { index: 0, value: 0, op: "SCMP_CMP_NE" }]), false);
    assert.is(made([mode(0o700), mode(0o777)]), false);
  }));

test("a profile of hundreds of rules holds for run, create and exec", () =>
  withFixture((fixture) => {
    const profile = engineProfile();
    assert.ok((profile.syscalls?.length ?? 0) > 400);
    for (const noNewPrivileges of [true, false])
      assert.match(runUnder(fixture, profile, SHOW, noNewPrivileges).stderr, "Operation not permitted");
    const id = fixture.launch(fixture.sleeper(under(profile)));
    const result = fixture.reg("exec", id, "sh", "-c", SHOW);
    assert.match(result.stderr, "Operation not permitted");
    assert.is(result.stdout, "Seccomp:2\n");
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("a compiled filter is kept, and used only for the profile that it is of", () =>
  withFixture((fixture) => {
    const cache = join(fixture.root, "@seccomp");
    runUnder(fixture, mkdir({ errnoRet: 28 }), "true");
    const [name = "", ...others] = readdirSync(cache);
    assert.equal(others, []);
    assert.is(statSync(cache).mode & 0o777, 0o700);
    const before = statSync(join(cache, name));
    assert.match(runUnder(fixture, mkdir({ errnoRet: 28 }), SHOW).stderr, "No space left");
    assert.is(statSync(join(cache, name)).ino, before.ino);
    // A file that is damaged, or of another profile by accident, is made anew.
    const whole = readFileSync(join(cache, name));
    for (const bytes of [
      whole.subarray(0, 9),
      Buffer.concat([whole.subarray(0, 20), Buffer.from("x"), whole.subarray(21)]),
    ]) {
      writeFileSync(join(cache, name), bytes);
      assert.match(runUnder(fixture, mkdir({ errnoRet: 28 }), SHOW).stderr, "No space left");
    }
    assert.is(fixture.succeed("list", "--quiet"), "");
  }));

test("system calls newer than the profile fail with ENOSYS, others as the default says", () =>
  withFixture((fixture) => {
    // What a static program needs to start, print and end; of these, rseq has the largest number.
    const names =
      "execve brk arch_prctl set_tid_address set_robust_list rseq prlimit64 readlink readlinkat getrandom mprotect mmap munmap " +
      "fstat newfstatat statx ioctl write writev exit exit_group";
    const bundle = (profile: Profile) => {
      const made = fixture.bundle(["/bin/call-number", "424", "425", "1000", `${MKNODAT}`], under(profile));
      copyFileSync(join(TOOLS, "call-number"), join(made.rootfs, "bin/call-number"));
      return made.path;
    };
    const errnos = (profile: Profile) => fixture.succeed("run", "--bundle", bundle(profile), fixture.id());
    const syscalls = [{ names: names.split(" "), action: "SCMP_ACT_ALLOW" }];
    const profile: Profile = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 28, syscalls };
    assert.is(errnos(profile), `424 38\n425 38\n1000 38\n${MKNODAT} 28\n`);
    // A profile that lists what it refuses knows nothing of what is new, and lets it through to the kernel.
    const refusing = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mknodat"], action: "SCMP_ACT_ERRNO" }] };
    assert.match(errnos(refusing), new RegExp(`^424 (?!38)[^]*1000 38\\n${MKNODAT} 1\\n`));
  }));

test("flags are taken, and faults named", () =>
  withFixture((fixture) => {
    const names = ["TSYNC", "LOG", "SPEC_ALLOW"].map((name) => `SECCOMP_FILTER_FLAG_${name}`);
    assert.is(runUnder(fixture, { ...mkdir({}), flags: names }, "echo on").stdout, "on\n");
    const bad = runUnder(fixture, { ...mkdir({}), flags: ["SECCOMP_FILTER_FLAG_NOPE"] }, "true");
    assert.match(bad.stderr, "/linux/seccomp/flags/0");
  }));

test("SCMP_ACT_NOTIFY hands the listener to listenerPath", () =>
  withFixture(async (fixture) => {
    const socket = fixture.path("listener");
    let received = "";
    const server = createServer((connection) => connection.on("data", (chunk) => (received += chunk.toString())));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const profile = { ...mkdir({ action: "SCMP_ACT_NOTIFY" }), listenerPath: socket, listenerMetadata: "meta" };
      const id = fixture.id();
      const bundle = fixture.shell("echo on", under(profile));
      const [program = "", ...args] = fixture.command("run", "--bundle", bundle.path, id);
      const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
      assert.is(await new Promise((resolve) => child.once("close", resolve)), 0);
      const state = JSON.parse(received);
      assert.equal([state.fds, state.metadata, state.state.id], [["seccompFd"], "meta", id]);
      assert.ok(state.pid > 0);
    } finally {
      server.close();
    }
    fixture.fail("/linux/seccomp/listenerPath", [
      ...["run", "--bundle", fixture.shell("true", under(mkdir({ action: "SCMP_ACT_NOTIFY" }))).path],
      fixture.id(),
    ]);
  }));

test("features tells of the same actions and flags", () =>
  withFixture((fixture) => {
    const { linux } = JSON.parse(fixture.succeed("features"));
    assert.is(linux.seccomp.enabled, true);
    for (const name of ["SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"]) assert.ok(linux.seccomp.actions.includes(name));
    assert.ok(linux.seccomp.archs.includes("SCMP_ARCH_X86_64"));
    assert.match(fixture.succeed("--version"), /^libseccomp: 2\.|^engine: Node/m);
  }));

seccomp.run();
