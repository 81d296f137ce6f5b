/** The examples for the engines' configuration: what the engines themselves say of them, and that the README has the same. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TOP } from "../paths.ts";
import { findProgram, needs, program, root } from "../testing.ts";

const examples = suite("examples");
const FOLDER = join(TOP, "conformance/release/examples");
const read = (name: string) => readFileSync(join(FOLDER, name), "utf8");

examples("the pages for people lead to files that are there, and the README is short", () => {
  const pages = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"];
  const deeper = ["bench", "callers", "experiments"].map((name) => `conformance/${name}/README.md`);
  for (const page of [...pages, ...deeper, "runtime/reg-env/README.md"]) {
    const text = readFileSync(join(TOP, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#:]+)\)/g))
      assert.ok(existsSync(join(TOP, dirname(page), target)), `${page}: ${target}`);
  }
  assert.ok(readFileSync(join(TOP, "README.md"), "utf8").split("\n").length <= 251);
});

examples("JSON is JSON", () => {
  for (const name of readdirSync(FOLDER).filter((name) => name.endsWith(".json"))) JSON.parse(read(name));
});

examples("programs are named as the packages install them, which install.sh replaces", () => {
  for (const name of readdirSync(FOLDER))
    for (const [path] of read(name).matchAll(/\/[\w/]*bin\/(reg|containerd-shim-reg-v2)"/g))
      assert.match(path, /^\/usr\/bin\//, name);
});

needs(
  examples,
  root,
  program("podman"),
)("Podman has the runtime by its name", () => {
  const storage = mkdtempSync(join(tmpdir(), "reg-examples-"));
  try {
    const args = ["--root", join(storage, "root"), "--runroot", join(storage, "run"), "--storage-driver", "vfs"];
    const env = { ...process.env, CONTAINERS_CONF: join(FOLDER, "podman-reg.conf") };
    const command = ["--runtime", "reg", "info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}"];
    const { stdout, stderr } = spawnSync("podman", [...args, ...command], { encoding: "utf8", env });
    // Where reg is not installed, Podman says so by the path that the example has.
    assert.match(stdout + stderr, /\/usr\/bin\/reg\b|default OCI runtime "reg" not found/);
    assert.not.match(stderr, /decode|toml|unknown/i);
  } finally {
    rmSync(storage, { recursive: true, force: true });
  }
});

needs(examples, program("containerd"))("containerd takes the fragment of its version", () => {
  const version = /v?(\d)\.\d+/.exec(spawnSync("containerd", ["--version"], { encoding: "utf8" }).stdout)?.[1];
  const { stdout, stderr, status } = spawnSync(
    findProgram("containerd") ?? "containerd",
    ["--config", join(FOLDER, `containerd-${version}-reg.toml`), "config", "dump"],
    { encoding: "utf8" },
  );
  assert.is(status, 0, stderr);
  assert.match(stdout, 'runtime_type = "io.containerd.reg.v2"');
  assert.match(stdout, 'runtime_path = "/usr/bin/containerd-shim-reg-v2"');
  assert.match(stdout, "SystemdCgroup = true");
});

examples.run();
