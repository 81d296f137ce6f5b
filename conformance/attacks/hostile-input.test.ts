/** Documents that are made to hurt: odd shapes, great depth, great numbers, names that every object has, and text that is no text. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Bundle, defaultSpec, type Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const hostile = suite("attacks: hostile input");
const test = needs(hostile, root, mounting, cgroups);

/** Runs a config.json that is refused, without a trace of the engine's own words. */
function refuses(fixture: Fixture, bundle: Bundle, words: string | RegExp): string {
  const { stderr } = fixture.fail(words, ["run", "--bundle", bundle.path, fixture.id()]);
  assert.not.match(stderr, "internal error");
  fixture.assertNothingLeft();
  return stderr;
}

function withText(fixture: Fixture, text: string): Bundle {
  const bundle = fixture.bundle(["/bin/true"]);
  writeFileSync(join(bundle.path, "config.json"), text);
  return bundle;
}

test("says that a document is too deep", () =>
  withFixture((fixture) => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      const deep = `${open.repeat(200_000)}1${close.repeat(200_000)}`;
      refuses(fixture, withText(fixture, `{"ociVersion":"1.0.0","x":${deep}}`), "too many levels");
      const file = fixture.write("deep.json", deep);
      const id = fixture.launch(fixture.sleeper());
      fixture.fail("too many levels", ["update", "--resources", file, id]);
      fixture.fail("too many levels", ["exec", "--process", file, id], 255);
      fixture.succeed("delete", "--force", id);
    }
  }));

test("makes a mount point of 2,000 directories", () =>
  withFixture((fixture) => {
    const deep = "/a".repeat(2000);
    const bundle = fixture.shell(`cd ${deep} && echo there`, (spec) => {
      spec.root.readonly = false;
      spec.mounts.push({ destination: deep, type: "tmpfs", source: "tmpfs" });
    });
    try {
      assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "there\n");
    } finally {
      fixture.host("rm", "-rf", join(bundle.rootfs, "a")); // too deep for Node
    }
  }));

const LONG: [what: string, change: (spec: Spec, long: string) => void][] = [
  ["working directory", (spec, long) => Object.assign(spec.process, { cwd: `/${long}` })],
  ["program", (spec, long) => Object.assign(spec.process, { args: [`/${long}`] })],
  ["mount point", (spec, long) => spec.mounts.push({ destination: `/${long}`, type: "tmpfs" })],
  ["filesystem", (spec, long) => spec.mounts.push({ destination: "/x", type: long })],
  ["mount option", (spec, long) => spec.mounts.push({ destination: "/x", type: "tmpfs", options: [long] })],
  ["masked path", (spec, long) => Object.assign(spec.linux, { maskedPaths: [`/${long}`] })],
];
for (const [what, change] of LONG)
  test(`says what is wrong with a ${what} of 100,000 bytes`, () =>
    withFixture((fixture) => {
      for (const unit of ["a", "\u00e9\n"]) {
        const bundle = fixture.bundle(["/bin/true"], (spec) => change(spec, unit.repeat(100_000 / unit.length)));
        assert.ok(refuses(fixture, bundle, /reg: .+/).length < 20_000, "and does not repeat it all");
      }
    }));

test("takes no mount option for a property that every object has", () =>
  withFixture((fixture) => {
    for (const option of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      const bundle = fixture.bundle(["/bin/true"], (spec) => {
        spec.mounts.push({ destination: "/x", type: "tmpfs", options: [option] });
      });
      refuses(fixture, bundle, "invalid argument");
    }
  }));

const NAMES: [field: string, json: string][] = [
  ["a cgroup file", '"linux": {"resources": {"unified": {"constructor.x": "1", "__proto__": "1"}}}'],
  ["a sysctl", '"linux": {"sysctl": {"__proto__": "1", "constructor": "1"}}'],
  ["a network device", '"linux": {"netDevices": {"__proto__": {}, "constructor": {}}}'],
  ["a time offset", '"linux": {"timeOffsets": {"constructor": {}}}'],
  ["a hook", '"hooks": {"prestart createRuntime": 7, "constructor": 7, "__proto__": 7}'],
  ["two words", '"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86 X86_64"]}}'],
];
for (const [what, json] of NAMES)
  test(`takes ${what} for nothing else`, () =>
    withFixture((fixture) => {
      const { linux, hooks, ...rest } = defaultSpec();
      const bundle = withText(fixture, `${JSON.stringify(rest).slice(0, -1)},${json}}`);
      const { stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
      assert.not.match(stderr, "internal error");
      fixture.assertNothingLeft();
    }));

/** What a document may have any number of. Each takes seconds at most, and a bounded part of the memory. */
const COUNT = 30_000;
const list = (item: unknown) => Array.from({ length: COUNT }, () => item);
const map = (prefix: string, item: unknown) =>
  Object.fromEntries(Array.from({ length: COUNT }, (_, index) => [`${prefix}${index}`, item]));
const MANY: [what: string, change: (spec: Spec) => void][] = [
  ["arguments that are numbers", (spec) => Object.assign(spec.process, { args: list(7) })],
  [
    "limits of one type",
    (spec) => Object.assign(spec.process, { rlimits: list({ type: "RLIMIT_CPU", soft: 1, hard: 1 }) }),
  ],
  ["mounts without a place", (spec) => Object.assign(spec, { mounts: list({ destination: "" }) })],
  ["namespaces of one type", (spec) => Object.assign(spec.linux, { namespaces: list({ type: "pid" }) })],
  [
    "rules for devices",
    (spec) => Object.assign(spec.linux, { resources: { devices: list({ allow: true, type: "c" }) } }),
  ],
  ["parameters of the host", (spec) => Object.assign(spec.linux, { sysctl: map("vm.x", "1") })],
  [
    "unknown actions",
    (spec) =>
      Object.assign(spec.linux, {
        seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: list({ names: ["read"], action: "SCMP_ACT_X" }) },
      }),
  ],
  ["annotations of ours", (spec) => Object.assign(spec, { annotations: map("org.reg.x", "1") })],
];
for (const [what, change] of MANY)
  test(`says what is wrong with ${COUNT} ${what}, in time`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(["/bin/true"], change);
      // A bound on the time of the processor: 10 s for what took minutes.
      const { status, stderr } = fixture.host(
        "sh",
        "-c",
        `ulimit -t 20; exec ${fixture.command("run").join(" ")} --bundle ${bundle.path} ${fixture.id()}`,
      );
      assert.is(status, 1, stderr.slice(0, 1000));
      assert.match(stderr, "expected");
      assert.ok(stderr.length < 1_000_000);
      fixture.assertNothingLeft();
    }));

test("gives two million arguments to the kernel in little memory, which refuses them", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(
      Array.from({ length: 2_000_000 }, () => "a"),
      (spec) => {
        spec.process.args[0] = "/bin/true";
      },
    );
    const command = `${fixture.command("run").join(" ")} --bundle ${bundle.path} ${fixture.id()}`;
    // Seconds of the processor are bounded: on a machine that has much else to do, those of the wall say nothing.
    const limits = "ulimit -v 700000; ulimit -t 20";
    const { status, stderr } = fixture.hostWith({ timeout: 60_000 }, "sh", "-c", `${limits}; exec ${command}`);
    assert.is(status, 1, stderr);
    assert.match(stderr, "argument list too long");
    fixture.assertNothingLeft();
  }));

const ESCAPES = "\x1b[2J\x9b31m\u202e";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const RAW = /[\x1b\x80-\x9f\u202e]/;

test("shows no control character of a bundle on a terminal or in a log", () =>
  withFixture((fixture) => {
    const log = fixture.path("log");
    const odd = (spec: Spec) => {
      spec.process.env.push(`ODD=a\nreg: error: forged ${ESCAPES}`);
      spec.annotations = { odd: ESCAPES };
    };
    const id = fixture.create(fixture.bundle(["/bin/true"], odd));
    const failing = fixture.bundle([`/${ESCAPES}\nreg: forged`]);
    const outputs = [
      fixture.succeed("state", id),
      fixture.succeed("list", "--format", "json"),
      fixture.succeed("plan", "--bundle", fixture.bundle(["/bin/true"], odd).path),
      fixture.succeed("plan", "--format", "json", "--bundle", fixture.bundle(["/bin/true"], odd).path),
      fixture.fail("forged", ["run", "--bundle", failing.path, fixture.id()]).stderr,
    ];
    for (const format of ["text", "json"]) {
      fixture.reg("--log", log, "--log-format", format, "run", "--bundle", failing.path, fixture.id());
      outputs.push(readFileSync(log, "utf8"));
    }
    for (const output of outputs) {
      assert.not.match(output, RAW);
      assert.not.match(output, /^reg: (error: )?forged/m);
    }
    assert.match(outputs[0] ?? "", "\\u009b");
  }));

test("shows the bundle of a container in one line of the list", () =>
  withFixture((fixture) => {
    const folder = fixture.path(`b${ESCAPES}\nx`);
    renameSync(fixture.bundle(["/bin/true"]).path, folder);
    fixture.succeed("create", "--bundle", folder, fixture.id());
    const text = fixture.succeed("list");
    assert.not.match(text, RAW);
    assert.is(text.split("\n").length, 3);
  }));

hostile.run();
