/**
 * Where a task runs: in a whole root filesystem, or in an environment that was generated from it. Both are containers of the runtime, with the
 * host's network, the task's folder at /task, and names of the task's own in /etc/hosts.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultSpec } from "../fixtures/bundle.ts";
import type { Fixture } from "../fixtures/fixture.ts";

export interface Output {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Server {
  /** What it has said so far. */
  output(): string;
  stop(): Promise<void>;
}

export interface Place {
  readonly name: string;
  run(...command: string[]): Promise<Output>;
  start(...command: string[]): Server;
}

const TIMEOUT_MS = 60_000;

/** A root filesystem that stays as it is: writes go to an overlay above it. */
export function fullRoot(fixture: Fixture, root: string, task: string): Place {
  const folder = fixture.path("full");
  for (const name of ["upper", "work", "root"]) mkdirSync(join(folder, name), { recursive: true });
  const options = `lowerdir=${root},upperdir=${folder}/upper,workdir=${folder}/work`;
  const { status, stderr } = spawnSync("mount", ["-t", "overlay", "overlay", "-o", options, join(folder, "root")], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  return place(fixture, "the full root", task, { root: { path: join(folder, "root") } });
}

export function environment(fixture: Fixture, store: string, name: string, task: string): Place {
  const reg = { environments: [name], store, writable: { type: "tmpfs" } };
  return place(fixture, `the environment ${name}`, task, { root: { path: "rootfs" }, reg });
}

function place(fixture: Fixture, name: string, task: string, change: object): Place {
  let count = 0;
  const bundle = (command: readonly string[]) => {
    count += 1;
    const path = fixture.path(`${"reg" in change ? "environment" : "full"}-${count}`);
    mkdirSync(join(path, "rootfs"), { recursive: true });
    const spec = defaultSpec();
    const bind = (source: string, destination: string) => ({
      destination,
      type: "bind",
      source,
      options: ["bind", "rw"],
    });
    const capabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"];
    const config = {
      ...spec,
      ...change,
      process: {
        ...spec.process,
        args: command,
        env: [...spec.process.env, "HOME=/tmp", `MARK=${fixture.mark}`],
        capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      },
      mounts: [...spec.mounts, bind(task, "/task"), bind(join(task, "hosts"), "/etc/hosts")],
      linux: { ...spec.linux, namespaces: spec.linux.namespaces.filter(({ type }) => type !== "network") },
    };
    writeFileSync(join(path, "config.json"), JSON.stringify(config));
    return fixture.command("run", "--bundle", path, fixture.id());
  };
  const launch = (command: readonly string[]) => {
    const [program = "", ...args] = bundle(command);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    const ended = new Promise<Output>((done) => {
      child.once("close", (code) => {
        clearTimeout(timer);
        done({ status: code ?? -1, stdout, stderr });
      });
    });
    return { child, ended, output: () => stdout + stderr };
  };
  return {
    name,
    run: (...command) => launch(command).ended,
    start: (...command) => {
      const { child, ended, output } = launch(command);
      return {
        output,
        stop: async () => {
          child.kill("SIGTERM");
          const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
          await ended;
          clearTimeout(timer);
        },
      };
    },
  };
}

/** Asks until there is an answer, for a server that is coming up. */
export async function eventually<T>(ask: () => Promise<T>, server: Server, timeoutMs = 15_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`no answer: ${error}\n${server.output()}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
