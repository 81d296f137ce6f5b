/** The files that an environment is made of, whoever found them. */
import type { Reason } from "./store/environment.ts";

export interface SourceFile {
  /** Absolute in the root, and no directory on its way is a symlink. */
  readonly path: string;
  readonly reason: Reason;
  /** The installed package that it belongs to. */
  readonly package?: { readonly name: string; readonly version: string };
}

export interface SourceFiles {
  /** The root filesystem, a directory of the host. */
  readonly root: string;
  readonly files: ReadonlyMap<string, SourceFile>;
  /** By path: they take the place of the root's. */
  readonly generated: ReadonlyMap<
    string,
    { readonly content: Uint8Array; readonly mode: number; readonly reason: Reason }
  >;
}
