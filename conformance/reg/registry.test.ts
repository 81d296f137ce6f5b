/**
 * An environment goes to a registry by skopeo, and from there to Podman, to containerd and into another store: the digests, what it does and what is shared
 * stay the same. A second environment with the same libraries brings its own layers only; how many bytes go is printed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withFixture } from "../fixtures/fixture.ts";
import { BUILD, REG, TOP } from "../paths.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";

const registry = suite("environments in a registry");
const DEBIAN = join(BUILD, "debian");
const test = needs(
  registry,
  root,
  mounting,
  cgroups,
  need("make debian", existsSync(join(DEBIAN, ".complete"))),
  ...["skopeo", "docker-registry", "podman", "containerd", "ctr", "runc"].map(program),
);

const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");
const PORT = 5000 + (process.pid % 20_000);
const HOST = `127.0.0.1:${PORT}`;
const CURL = ["curl", "--version"];
const SQLITE = ["sqlite3", ":memory:", "select sqlite_version() >= '3', sum(value) from json_each('[1,2]')"];

async function whenListening(port: number): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    const isThere = await new Promise<boolean>((done) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        done(true);
      });
      socket.once("error", () => done(false));
    });
    if (isThere) return;
    await sleep(50);
  }
  throw new Error("the registry does not listen");
}

/** Bytes of all blobs that the registry has. */
function blobBytes(folder: string): number {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  return names
    .filter((name) => name.endsWith("/data"))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

const digestIn = (text: string) => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? "";

test("by skopeo, to Podman, containerd and another store", () =>
  withFixture(async (fixture) => {
    mkdirSync(fixture.path(".config/containers"), { recursive: true });
    writeFileSync(
      fixture.path(".config/containers/registries.conf"),
      `[[registry]]\nlocation = "${HOST}"\ninsecure = true\n`,
    );
    const env = { ...process.env, REG, HOME: fixture.folder };
    const run = (...command: string[]) => {
      const [name = "", ...args] = command;
      const { status, stdout, stderr } = spawnSync(name, args, { encoding: "utf8", env, timeout: 120_000 });
      assert.is(status, 0, `${command.join(" ")}: ${stderr}`);
      return stdout;
    };
    const regEnv = (store: string, command: string, ...args: string[]) =>
      run(process.execPath, REG_ENV, command, "--store", fixture.path(store), ...args);
    const children: ChildProcess[] = [];
    const start = (name: string, ...args: string[]) => {
      const child = spawn(name, args, { stdio: "ignore", env: { ...env, PATH: `${process.env.PATH}:/usr/sbin` } });
      children.push(child);
    };
    const podman = (...args: string[]) =>
      run(
        "podman",
        "--root",
        fixture.path("podman"),
        "--runroot",
        fixture.path("podman-run"),
        "--cgroup-manager",
        "cgroupfs",
        "--storage-driver",
        "vfs",
        "--runtime",
        REG,
        ...args,
      );
    const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
    try {
      const config = `version: 0.1\nstorage: { filesystem: { rootdirectory: ${fixture.path("registry")} } }\nhttp: { addr: "${HOST}" }\n`;
      writeFileSync(fixture.path("registry.yml"), config);
      start("docker-registry", "serve", fixture.path("registry.yml"));
      await whenListening(PORT);
      const blobs = fixture.path("registry/docker/registry/v2/blobs");

      const push = (name: string, command: readonly string[]) => {
        regEnv("store", "generate", `${name}@1`, "--root", DEBIAN, "--", ...command);
        const digest = digestIn(
          regEnv("store", "export", `${name}@1`, fixture.path(`${name}.tar`), "--format", "oci-archive", "--compress"),
        );
        const before = blobBytes(blobs);
        run("skopeo", "copy", "--quiet", `oci-archive:${fixture.path(`${name}.tar`)}`, `docker://${HOST}/${name}:1`);
        return { digest, bytes: blobBytes(blobs) - before };
      };
      const curl = push("curl", CURL);
      const sqlite = push("sqlite", SQLITE);
      console.log(
        `curl: ${curl.bytes} bytes pushed; then sqlite: ${sqlite.bytes}, of ${statSync(fixture.path("sqlite.tar")).size} in all`,
      );
      assert.ok(sqlite.bytes < statSync(fixture.path("sqlite.tar")).size * 0.75);
      assert.is(digestIn(run("skopeo", "inspect", "--format", "{{.Digest}}", `docker://${HOST}/curl:1`)), curl.digest);

      regEnv("other", "install", `docker://${HOST}/curl:1`, "--digest", curl.digest);
      regEnv("other", "install", `docker://${HOST}/sqlite:1`);
      const manifest = (store: string) =>
        readFileSync(fixture.path(`${store}/default/environments/curl@1/manifest.json`), "utf8");
      assert.is(manifest("other"), manifest("store"));
      const library = "usr/lib/x86_64-linux-gnu/libc.so.6";
      const inode = (name: string) =>
        statSync(fixture.path(`other/default/environments/${name}@1/tree/${library}`)).ino;
      if (process.arch === "x64") assert.is(inode("curl"), inode("sqlite"));

      const expected = regEnv("store", "run", "sqlite@1");
      assert.match(expected, /^1\|3/);
      assert.is(regEnv("other", "run", "sqlite@1"), expected);

      podman("pull", "--quiet", `${HOST}/sqlite:1`);
      assert.is(podman("run", "--rm", "--network", "none", ...limits, `${HOST}/sqlite:1`), expected);
      assert.is(digestIn(podman("inspect", "--format", "{{.Digest}}", `${HOST}/sqlite:1`)), sqlite.digest);

      const socket = fixture.path("containerd.sock");
      mkdirSync(fixture.path("containerd"));
      writeFileSync(
        fixture.path("containerd.toml"),
        `version = 2\nroot = "${fixture.path("containerd/root")}"\nstate = "${fixture.path("containerd/state")}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "${socket}"\n`,
      );
      start("containerd", "--config", fixture.path("containerd.toml"));
      for (let waited = 0; !existsSync(socket) && waited < 10_000; waited += 50) await sleep(50);
      const ctr = (...args: string[]) => run("ctr", "--address", socket, ...args);
      ctr("images", "pull", "--plain-http", "--snapshotter", "native", `${HOST}/sqlite:1`);
      assert.match(ctr("images", "ls"), new RegExp(sqlite.digest));
      assert.is(ctr("run", "--rm", "--snapshotter", "native", `${HOST}/sqlite:1`, fixture.mark), expected);
      ctr("images", "import", "--snapshotter", "native", fixture.path("curl.tar"));
      assert.match(ctr("run", "--rm", "--snapshotter", "native", "localhost/curl:1", `${fixture.mark}-2`), /^curl \d/);
      ctr("images", "export", fixture.path("exported.tar"), "localhost/curl:1");
      regEnv("third", "install", fixture.path("exported.tar"));
      assert.is(manifest("third"), manifest("store"));
    } finally {
      for (const child of children) {
        child.kill("SIGTERM");
        await Promise.race([new Promise((done) => child.once("exit", done)), sleep(5000)]);
        if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      }
      spawnSync("umount", ["-R", fixture.path("podman")]);
      rmSync(fixture.path("podman"), { recursive: true, force: true });
    }
  }));

registry.run();
