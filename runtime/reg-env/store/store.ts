/** A store that reg-env works with: made when it is not there, and locked. */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { close } from "../../libc/file.ts";
import { describeStore, FOLDERS, lockPath } from "../../reg/layout.ts";
import { lockShared } from "../../reg/lock.ts";
import { Owners } from "../../reg/owners.ts";
import { believedStore } from "../../reg/trust.ts";
import { detectProtection, type Protection } from "./protection.ts";

export interface Store {
  /** <store>/<domain>, see runtime/reg/layout.ts; a path without symlinks. */
  readonly directory: string;
  readonly protection: Protection;
  /** Whose its files are. */
  readonly owners: Owners;
}

/** Opens the store, and makes it if need be. */
export function createStore(named: string): Store {
  fs.mkdirSync(named, { recursive: true, mode: 0o700 });
  const directory = believedStore(named);
  for (const folder of FOLDERS) fs.mkdirSync(`${directory}/${folder}`, { recursive: true, mode: 0o700 });
  fs.chmodSync(directory, 0o700);
  if (!fs.existsSync(protectionPath(directory))) writeProtection(directory);
  fs.closeSync(fs.openSync(lockPath(directory), "a", 0o600)); // last: with its lock, a store is complete
  return openStore(directory);
}

/** Opens a store that is there. Throws RegError where there is none, and for one that others can change. */
export function openStore(named: string): Store {
  const directory = believedStore(named);
  close(lockShared(directory));
  const text = fs.readFileSync(protectionPath(directory), "utf8").trim();
  if (text !== "fs-verity" && text !== "mode")
    throw new RegError("EINVAL", `${describeStore(directory)}: ${protectionPath(directory)} holds no known protection`);
  return { directory, protection: text, owners: new Owners() };
}

/** Runs `use` while no gc can. */
export async function withShared<T>(store: Store, use: () => Promise<T> | T): Promise<T> {
  const lock = lockShared(store.directory);
  try {
    return await use();
  } catch (error) {
    throw explainFull(store.directory, error);
  } finally {
    close(lock);
  }
}

/** An error of a write for which there is no room says in which store, and what helps; others stay as they are. */
function explainFull(directory: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || (error.code !== "ENOSPC" && error.code !== "EDQUOT"))
    return error;
  const full = error.code === "ENOSPC" ? "there is no space left for" : "the quota is used up of";
  return new RegError(error.code, `${full} ${describeStore(directory)}: ${error.message}`, {
    hint: "reg-env gc removes what nothing needs; --store puts a store onto another filesystem",
    cause: error,
  });
}

function protectionPath(directory: string): string {
  return `${directory}/protection`;
}

/** What the first of several writers finds is what all of them keep to. */
function writeProtection(directory: string): void {
  const temporary = `${directory}/tmp/protection-${process.pid}-${process.hrtime.bigint()}`;
  // A user's file that may not be written has no fs-verity any more: it takes the right to write.
  const protection = process.geteuid?.() === 0 ? detectProtection(temporary) : "mode";
  fs.writeFileSync(`${temporary}.text`, `${protection}\n`, { flag: "wx", mode: 0o600 });
  try {
    linkIfMissing(`${temporary}.text`, protectionPath(directory));
  } finally {
    fs.rmSync(`${temporary}.text`);
  }
}

/** link(2); false when the name is taken, which means that somebody else was first. */
export function linkIfMissing(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
