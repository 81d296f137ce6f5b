/** Options that commands share, and how their values are read. */
import { resolve } from "node:path";
import type { Argv } from "yargs";
import { RegError } from "../errors/errors.ts";
import { DEFAULT_DOMAIN, DEFAULT_STORE, storeDirectory } from "../reg/layout.ts";
import { defaultStore } from "../reg/trust.ts";
import { createStore, openStore, type Store } from "./store/store.ts";

export interface StoreArguments {
  readonly store: string;
  readonly domain: string;
}

/** --store and --domain, which every command has. */
export function storeOptions<T>(yargs: Argv<T>): Argv<T & StoreArguments> {
  return yargs
    .option("store", {
      type: "string",
      default: defaultStore(),
      defaultDescription: `${DEFAULT_STORE}; a user's is $XDG_DATA_HOME/reg`,
      requiresArg: true,
      describe: "directory of the store",
    })
    .option("domain", {
      type: "string",
      default: DEFAULT_DOMAIN,
      requiresArg: true,
      describe: "sharing domain: nothing is shared with another one",
    });
}

export function existingStore({ store, domain }: StoreArguments): Store {
  return openStore(storeDirectory(resolve(store), domain));
}

/** Made when it is not there. */
export function anyStore({ store, domain }: StoreArguments): Store {
  return createStore(storeDirectory(resolve(store), domain));
}

/** --format, where a command prints something that programs read too. */
export function formatOption<T>(yargs: Argv<T>): Argv<T & { readonly format: string }> {
  return yargs.option("format", {
    choices: ["text", "json"],
    default: "text",
    requiresArg: true,
    describe: "what is printed",
  });
}

/** What stands behind "--". */
export function afterDashes(argv: object): string[] {
  const rest = (argv as { "--"?: readonly unknown[] })["--"];
  return (rest ?? []).map(String);
}

export function parseWorkdir(text: string): { source: string; destination: string; readonly: boolean } {
  return parseMount("workdir", text);
}

/** SOURCE:DESTINATION or SOURCE:DESTINATION:ro. */
export function parseMount(option: string, text: string): { source: string; destination: string; readonly: boolean } {
  const [source = "", destination = "", mode, ...rest] = text.split(":");
  if (
    source === "" ||
    !destination.startsWith("/") ||
    rest.length > 0 ||
    (mode !== undefined && mode !== "ro" && mode !== "rw")
  )
    throw new RegError("EINVAL", `--${option} ${JSON.stringify(text)} is not SOURCE:DESTINATION[:ro]`, {
      hint: `the destination is an absolute path in the container, as in --${option} .:/src:ro`,
    });
  return { source, destination, readonly: mode === "ro" };
}

/** Bytes, or with k, m or g behind as many times 1024. */
export function parseSize(option: string, text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,15})([kmg]?)b?$/i.exec(text) ?? [];
  if (digits === "")
    throw new RegError("EINVAL", `--${option} ${JSON.stringify(text)} is no size`, {
      hint: `a number of bytes, or with k, m or g, as in --${option} 512m`,
    });
  return Number(digits) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase());
}

/** none, tmpfs, tmpfs:SIZE, directory:PATH, as in the annotation org.reg.writable. */
export function parseWritable(text: string): { type: string; size?: string; path?: string } {
  const colon = text.indexOf(":");
  const type = colon === -1 ? text : text.slice(0, colon);
  const value = colon === -1 ? undefined : text.slice(colon + 1);
  if (value === undefined && (type === "none" || type === "tmpfs")) return { type };
  if (value !== undefined && type === "tmpfs") return { type, size: String(parseSize("writable tmpfs:SIZE", value)) };
  if (value !== undefined && type === "directory") return { type, path: value };
  throw new RegError("EINVAL", `--writable ${JSON.stringify(text)} is not known`, {
    hint: "use none, tmpfs, tmpfs:SIZE (tmpfs:64m) or directory:PATH",
  });
}
