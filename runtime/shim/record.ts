/**
 * What the shim writes into a bundle, for `delete` after the shim has gone: where the container's state is, and how it ended.
 * The file is replaced whole; a reader takes what it knows, and does without what is missing.
 */
import { RegError } from "../errors/errors.ts";
import { readTextIfExists, replaceFile } from "../libc/file.ts";
import type { Time } from "./clock.ts";

const FILE = "shim.json";

export interface Exit {
  /** Exit status, or 128 + signal. */
  readonly status: number;
  readonly at: Time;
}

export interface BundleRecord {
  readonly version: 1;
  /** Directory of the containers' state, the namespace's. */
  readonly root: string;
  /** The shim's socket. */
  readonly socket: string;
  readonly pid?: number;
  readonly exit?: Exit;
}

export function writeRecord(bundle: string, record: BundleRecord): void {
  replaceFile(`${bundle}/${FILE}`, JSON.stringify(record));
}

/** undefined when there is none that can be read. */
export function readRecord(bundle: string): Partial<BundleRecord> | undefined {
  try {
    const text = readTextIfExists(`${bundle}/${FILE}`);
    return text === undefined ? undefined : (JSON.parse(text) as Partial<BundleRecord>);
  } catch (error) {
    if (error instanceof RegError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
