/** A handler's options: which of them arrive, and that nothing in them keeps a container from starting. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode } from "../linux/protobuf.ts";
import { DEFAULTS, parseOptions } from "./options.ts";
import type { Any } from "./proto/common.ts";
import { GENERIC_OPTIONS, RUNC_OPTIONS } from "./proto/options.ts";

const options = suite("shim: options");

const GENERIC = "runtimeoptions.v1.Options";
const runc = (given: Parameters<typeof encode<typeof RUNC_OPTIONS>>[1]): Any => ({
  typeUrl: "containerd.runc.v1.Options",
  value: encode(RUNC_OPTIONS, given),
});
const toml = (text: string): Any => ({
  typeUrl: GENERIC,
  value: encode(GENERIC_OPTIONS, { configBody: Buffer.from(text) }),
});

/** What is understood, beside the defaults, and what is said about the rest. */
const CASES: readonly (readonly [what: string, any: Any | undefined, own: object, said: readonly RegExp[]])[] = [
  ["nothing", undefined, {}, []],
  ["an empty Any", { typeUrl: "", value: new Uint8Array(0) }, {}, []],
  ["runc's, all defaults", runc({}), {}, []],
  [
    "runc's",
    runc({
      noPivotRoot: true,
      noNewKeyring: true,
      ioUid: 7,
      ioGid: 8,
      root: "/r",
      systemdCgroup: true,
      shimCgroup: "/s",
    }),
    { noPivotRoot: true, noNewKeyring: true, ioUid: 7, ioGid: 8, root: "/r", systemdCgroup: true, shimCgroup: "/s" },
    [],
  ],
  [
    "the name of another runtime",
    runc({ binaryName: "/usr/bin/runc" }),
    {},
    [/BinaryName \/usr\/bin\/runc is ignored/],
  ],
  ["reg's own name", runc({ binaryName: "/usr/bin/reg" }), {}, []],
  [
    "a handler's table",
    toml("Root = '/r'\nSystemdCgroup = true\nIoUid = 5\nBinaryName = 'x'\n"),
    { root: "/r", systemdCgroup: true, ioUid: 5 },
    [],
  ],
  ["a key that nobody knows", toml("Colour = 'red'\n"), {}, [/option Colour is unknown/]],
  [
    "a key of another type",
    toml("SystemdCgroup = 'yes'\nIoGid = 3\n"),
    { ioGid: 3 },
    [/SystemdCgroup is ignored: expected a boolean/],
  ],
  ["no TOML", toml("= = ="), {}, [/the options are ignored/]],
  ["another type", { typeUrl: "some.Options", value: Buffer.from("{}") }, {}, [/some\.Options are ignored/]],
  [
    "garbage of runc's type",
    { typeUrl: "containerd.runc.v1.Options", value: Buffer.from([0xff]) },
    {},
    [/are ignored/],
  ],
];
for (const [what, any, own, said] of CASES)
  options(what, () => {
    const warnings: string[] = [];
    const parsed = parseOptions(any, (text) => warnings.push(text));
    for (const [key, value] of Object.entries({ ...DEFAULTS, ...own }))
      assert.equal((parsed as unknown as Record<string, unknown>)[key], value, key);
    assert.is(warnings.length, said.length, warnings.join("; "));
    for (const [index, words] of said.entries()) assert.match(warnings[index] ?? "", words);
  });

options("the file of a handler; one that is not there is told", () => {
  const folder = mkdtempSync(join(tmpdir(), "reg-options-"));
  try {
    const configPath = join(folder, "shim.toml");
    writeFileSync(configPath, "NoNewKeyring = true\n");
    const of = (path: string) => ({ typeUrl: GENERIC, value: encode(GENERIC_OPTIONS, { configPath: path }) });
    assert.is(parseOptions(of(configPath), assert.unreachable).noNewKeyring, true);
    const warnings: string[] = [];
    assert.equal(
      parseOptions(of(join(folder, "none")), (text) => warnings.push(text)),
      DEFAULTS,
    );
    assert.match(warnings.join(), /the options are ignored: .*none.*ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

options.run();
