/** A container made of environments: in the foreground, with our terminal and the signals that we get, or in the background. */
import { posix, resolve } from "node:path";
import { RegError } from "../errors/errors.ts";
import type { Config, Reg } from "../oci/config.ts";
import { type EnvironmentName, formatEnvironmentName } from "../reg/name.ts";
import { openTree } from "../reg/tree.ts";
import { makeConfig, type Volume } from "./config.ts";
import { launch, launchDetached, newId, passSignals } from "./container.ts";
import { readManifest } from "./store/environment.ts";
import { type Store, withShared } from "./store/store.ts";
import { readerIn, resolveUser } from "./user.ts";

export interface RunOptions {
  readonly environments: readonly EnvironmentName[];
  readonly store: string;
  readonly domain: string;
  /** The first environment's command when empty. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Relative to the folder of the environment's command. */
  readonly cwd?: string | undefined;
  readonly writable: NonNullable<Reg["writable"]> | { readonly type: string };
  readonly workdir?: Reg["workdir"];
  readonly hostNetwork: boolean;
  readonly runtime?: string | undefined;
  /** USER[:GROUP] */
  readonly user?: string | undefined;
  readonly volumes?: readonly Volume[];
  readonly hostname?: string | undefined;
  readonly memoryBytes?: number | undefined;
}

/** The config.json of the container. Throws RegError for an environment without a command when none is given. */
export async function configOf(store: Store, options: RunOptions, terminal: boolean): Promise<Config> {
  const [first] = options.environments;
  if (first === undefined) throw new RegError("EINVAL", "no environment is named");
  const { command } = readManifest(store, first);
  const args = options.args.length > 0 ? options.args : command.args;
  if (args.length === 0)
    throw new RegError("EINVAL", `environment ${formatEnvironmentName(first)} has no command of its own`, {
      hint: "say what to run behind --, as in reg-env run NAME@VERSION -- COMMAND",
    });
  const { user = command.user, hostname, memoryBytes, volumes } = options;
  const reg = {
    environments: options.environments.map(formatEnvironmentName),
    store: resolve(options.store),
    domain: options.domain,
    writable: options.writable as NonNullable<Reg["writable"]>,
    ...(options.workdir === undefined
      ? {}
      : { workdir: { ...options.workdir, source: resolve(options.workdir.source) } }),
  };
  return makeConfig({
    command: {
      args,
      env: [...command.env, ...options.env],
      cwd: posix.resolve(command.cwd, options.cwd ?? "."),
    },
    terminal,
    readonlyRoot: options.writable.type === "none",
    hostNetwork: options.hostNetwork,
    reg,
    ...(user === undefined ? {} : { user: resolveUser(user, await readerOf(store, options.environments)) }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(volumes === undefined ? {} : { volumes }),
  });
}

/** Returns the container's exit status. */
export async function runEnvironments(store: Store, options: RunOptions, id = newId()): Promise<number> {
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const config = await configOf(store, options, terminal);
  const { child, ended } = launch({ id, config, runtime: options.runtime });
  const stop = passSignals(child);
  try {
    return await ended;
  } finally {
    stop();
  }
}

/** Starts it in the background. Returns the file that has its output. */
export async function startEnvironments(store: Store, options: RunOptions, id: string): Promise<string> {
  return launchDetached({ id, config: await configOf(store, options, false), runtime: options.runtime });
}

/** Reads files of the tree that the container will have. */
function readerOf(
  store: Store,
  environments: readonly EnvironmentName[],
): Promise<(path: string) => string | undefined> {
  return withShared(store, () => readerIn(openTree(store.directory, environments).path));
}
