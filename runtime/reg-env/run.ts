/** A container made of environments, run by reg in the foreground, from a bundle that is gone afterwards. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import type { Reg } from "../oci/config.ts";
import { type EnvironmentName, formatEnvironmentName } from "../reg/name.ts";
import { makeConfig } from "./config.ts";
import { readManifest } from "./store/environment.ts";
import type { Store } from "./store/store.ts";

export interface RunOptions {
  readonly environments: readonly EnvironmentName[];
  readonly store: string;
  readonly domain: string;
  /** The first environment's command when empty. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly writable: NonNullable<Reg["writable"]> | { readonly type: string };
  readonly workdir?: Reg["workdir"];
  readonly hostNetwork: boolean;
  readonly runtime?: string;
}

/** Returns the container's exit status. */
export async function runEnvironments(store: Store, options: RunOptions): Promise<number> {
  const [first] = options.environments;
  if (first === undefined) throw new RegError("EINVAL", "no environment is named");
  const { command } = readManifest(store, first);
  const args = options.args.length > 0 ? options.args : command.args;
  if (args.length === 0)
    throw new RegError("EINVAL", `environment ${formatEnvironmentName(first)} has no command of its own`, {
      hint: "say what to run behind --, as in reg-env run NAME@VERSION -- COMMAND",
    });
  const reg = {
    environments: options.environments.map(formatEnvironmentName),
    store: resolve(options.store),
    domain: options.domain,
    writable: options.writable as NonNullable<Reg["writable"]>,
    ...(options.workdir === undefined
      ? {}
      : { workdir: { ...options.workdir, source: resolve(options.workdir.source) } }),
  };
  const config = makeConfig({
    command: { args, env: [...command.env, ...options.env], cwd: options.cwd ?? command.cwd },
    terminal: process.stdin.isTTY === true && process.stdout.isTTY === true,
    readonlyRoot: options.writable.type === "none",
    hostNetwork: options.hostNetwork,
    reg,
  });
  const bundle = fs.mkdtempSync(join(tmpdir(), "reg-env-run-"));
  try {
    fs.mkdirSync(join(bundle, "rootfs"));
    fs.writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
    return await runBundle(findRuntime(options.runtime), bundle);
  } finally {
    fs.rmSync(bundle, { recursive: true, force: true });
  }
}

/** `reg run`, with our terminal, and with the signals that we get. */
function runBundle(runtime: string, bundle: string): Promise<number> {
  const id = `reg-env-${process.pid}-${Date.now().toString(36)}`;
  const child = spawn(runtime, ["run", "--bundle", bundle, id], { stdio: "inherit" });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  // A terminal sends these to the whole group already; we only have to survive them until the child has ended.
  const ignore = () => undefined;
  const handlers = [
    ["SIGTERM", forward],
    ["SIGHUP", forward],
    ["SIGINT", process.stdin.isTTY ? ignore : forward],
    ["SIGQUIT", ignore],
  ] as const;
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return new Promise((done, failed) => {
    child.once("error", (error) => {
      failed(
        new RegError("ENOENT", `run ${runtime}: ${error.message}`, {
          hint: "name the reg binary with --runtime or $REG",
        }),
      );
    });
    child.once("exit", (code, signal) => {
      for (const [name, handler] of handlers) process.off(name, handler);
      done(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** The native binary: as named, from $REG, from the build that this program is part of, or in PATH. */
function findRuntime(named: string | undefined): string {
  const built = host.initBinary;
  const candidates = [
    ...[named, process.env.REG].flatMap((path) => (path === undefined || path === "" ? [] : [path])),
    ...(built !== undefined && fs.existsSync(built) ? [built] : []),
    ...(process.env.PATH ?? "").split(delimiter).flatMap((folder) => {
      const path = join(folder, "reg");
      return fs.existsSync(path) ? [path] : [];
    }),
  ];
  const [found] = candidates;
  if (found !== undefined) return found;
  throw new RegError("ENOENT", "there is no reg binary", {
    hint: "make install puts it into PATH; or name it with --runtime or $REG",
  });
}
