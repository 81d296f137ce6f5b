/** The examples for the engines' configuration: what the engines themselves say of them, and that the README has the same. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TOP } from "../paths.ts";
import { findProgram, mounting, need, needs, program, root } from "../testing.ts";

const examples = suite("examples");
const FOLDER = join(TOP, "conformance/release/examples");
const MANIFEST = "kubernetes-daemonset.yaml";
const read = (name: string) => readFileSync(join(FOLDER, name), "utf8");

examples("the pages for people lead to files that are there, and the README is short", () => {
  const pages = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"];
  const deeper = ["bench", "callers", "experiments"].map((name) => `conformance/${name}/README.md`);
  for (const page of [...pages, ...deeper, "runtime/reg-env/README.md", "runtime/shim/README.md"]) {
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
  for (const name of readdirSync(FOLDER).filter((name) => name !== MANIFEST)) // which brings its own
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

/** The node that the cluster's manifest is tried on: a folder as its root, with the machine's containerd. */
class Node {
  readonly host = mkdtempSync(join(tmpdir(), "reg-examples-"));
  readonly #script = join(this.host, "install.sh");

  constructor(config: string | undefined) {
    const [, script = ""] = /install\.sh: \|\n((?: {4}.*\n|\n)*)/.exec(read(MANIFEST)) ?? [];
    writeFileSync(this.#script, script.replaceAll(/^ {4}/gm, ""));
    writeFileSync(join(this.host, "reg"), "the program");
    mkdirSync(join(this.host, "etc/containerd"), { recursive: true });
    if (config !== undefined) writeFileSync(this.path("etc/containerd/config.toml"), config);
    // Its containerd finds its configuration where it is on a node.
    const mount = `mount --bind ${this.host}/etc/containerd /etc/containerd`;
    const onNode = `#!/bin/sh\ncase $1 in systemctl) echo "$@" >>${this.host}/calls ;; *) exec unshare --mount sh -c '${mount} && exec "$@"' sh "$@" ;; esac\n`;
    writeFileSync(join(this.host, "on-node"), onNode, { mode: 0o755 });
  }

  path(name: string): string {
    return join(this.host, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  install(): { status: number | null; stderr: string; restarts: number } {
    const env = { ...process.env, HOST: this.host, REG: this.path("reg"), ON_NODE: this.path("on-node") };
    const { status, stderr } = spawnSync("sh", [this.#script], { encoding: "utf8", env });
    const calls = existsSync(this.path("calls")) ? this.read("calls").trim().split("\n") : [];
    return { status, stderr, restarts: calls.filter((call) => call === "systemctl restart containerd").length };
  }
}

const onNode = needs(
  examples,
  root,
  mounting,
  program("containerd"),
  need("/etc/containerd", existsSync("/etc/containerd")),
);
const withNode = (config: string | undefined, test: (node: Node) => void) => () => {
  const node = new Node(config);
  try {
    test(node);
  } finally {
    rmSync(node.host, { recursive: true, force: true });
  }
};

for (const [what, config] of [
  ["no configuration", undefined],
  ["one without imports", 'version = 2\n[grpc]\naddress = "/run/x.sock"\n'],
  ["one that imports the folder", 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n'],
] as const)
  onNode(
    `the manifest's script installs on a node with ${what}, and restarts containerd once`,
    withNode(config, (node) => {
      const first = node.install();
      assert.equal([first.status, first.restarts], [0, 1], first.stderr);
      assert.is(node.read("usr/local/bin/containerd-shim-reg-v2"), "the program");
      if (config !== undefined) assert.ok(node.read("etc/containerd/config.toml").endsWith(config));
      writeFileSync(node.path("reg"), "another program");
      const second = node.install();
      assert.equal([second.status, second.restarts], [0, 1], "a new binary needs no restart");
      assert.is(node.read("usr/local/bin/reg"), "another program");
    }),
  );

onNode(
  "the manifest's script leaves a node as it was whose containerd does not take the change",
  withNode('version = 2\nplugins = "broken"\n', (node) => {
    const { status, stderr, restarts } = node.install();
    assert.equal([status, restarts], [1, 0]);
    assert.match(stderr, /it is undone/);
    assert.is(node.read("etc/containerd/config.toml"), 'version = 2\nplugins = "broken"\n');
    assert.is(existsSync(node.path("etc/containerd/conf.d/reg.toml")), false);
  }),
);

onNode(
  "the manifest's script does not touch imports of others",
  withNode('version = 2\nimports = ["/etc/other.toml"]\n', (node) => {
    const { status, stderr } = node.install();
    assert.is(status, 1);
    assert.match(stderr, /imports other files: add/);
    assert.is(node.read("etc/containerd/config.toml"), 'version = 2\nimports = ["/etc/other.toml"]\n');
  }),
);

examples.run();
