/** The shim under AddressSanitizer and UBSan: its FFI, type by type, and whole commands, containers among them. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BUILD, TOP } from "../conformance/paths.ts";
import { cgroups, mounting, needs, root } from "../conformance/testing.ts";

const shim = suite("native shim");
const test = needs(shim, root, mounting, cgroups);
const SANITIZED = join(BUILD, "reg-sanitize");
const C_LINES_LIMIT = 1000;

function run(program: string, args: readonly string[], environment: Record<string, string> = {}) {
  const env = { ...process.env, ...environment };
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: TOP, encoding: "utf8", env });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

shim.before(() => {
  const { status, stderr } = run("sh", ["native-shim/build.sh", SANITIZED], { SANITIZE: "1" });
  assert.is(status, 0, stderr);
});

shim("passes every type of the FFI at its full width", () => {
  const { status, stdout, stderr } = run(join(BUILD, "native-sanitize/ffi_test"), ["dist/native-shim/ffi_test.js"]);
  assert.equal({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
});

shim("finds nothing to sanitize in commands that need no container", () => {
  for (const args of [["--version"], ["--help"], ["features"], ["list", "--root", "/nonexistent"], ["nonsense"]]) {
    const { stderr } = run(SANITIZED, args);
    assert.not.match(stderr, /Sanitizer|runtime error/, args.join(" "));
  }
});

test("finds nothing to sanitize in the life of containers", () => {
  const { status, stdout, stderr } = run(
    process.execPath,
    [join(TOP, "dist/conformance/lifecycle/lifecycle.test.js")],
    {
      REG: SANITIZED,
    },
  );
  assert.is(status, 0, `${stdout}${stderr}`);
  assert.not.match(`${stdout}${stderr}`, /Sanitizer|runtime error/);
});

test("finds nothing to sanitize in odd documents", () => {
  const { status, stdout, stderr } = run(
    process.execPath,
    [join(TOP, "dist/conformance/fuzz/run.js"), "--seeds", "1-25"],
    { REG: SANITIZED },
  );
  assert.is(status, 0, `${stdout}${stderr}`);
});

shim("stays small", () => {
  const directory = join(TOP, "native-shim");
  const sources = readdirSync(directory).filter((name) => /\.[ch]$/.test(name));
  const lines = sources.reduce(
    (sum, name) => sum + readFileSync(join(directory, name), "utf8").trimEnd().split("\n").length,
    0,
  );
  assert.ok(lines < C_LINES_LIMIT, `${lines} lines of C`);
});

shim.run();
