/** What the store's files hold: units (lists of entries), and the manifest of an environment. */

/** What every entry has. */
interface Owned {
  /** Without a leading slash: "usr/lib/libc.so.6". */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

export interface FileEntry extends Owned {
  readonly type: "file";
  /** The object's key: the digest of everything below. */
  readonly object: string;
  /** SHA-256 of the content. */
  readonly content: string;
  /** Permission bits, as the source had them. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Seconds; only where a file's meaning depends on it (a Python source, whose compiled form names it). */
  readonly mtime?: number;
  /** By name, values in hexadecimal. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface SymlinkEntry extends Owned {
  readonly type: "symlink";
  readonly target: string;
}

export interface DirectoryEntry extends Owned {
  readonly type: "directory";
  readonly mode: number;
}

export type Entry = FileEntry | SymlinkEntry | DirectoryEntry;

/** A library, a program, a part of either: what environments share. `entries` are sorted by path. */
export interface Unit {
  readonly name: string;
  readonly version: string;
  readonly entries: readonly Entry[];
}

/** What to run in an environment, and how. */
export interface EnvironmentCommand {
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** USER[:GROUP], names of the environment or numbers; root when not given. */
  readonly user?: string;
}

/** manifest.json of an environment. The same input gives the same text: there is no date in it. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  /** Digest of the tree that the environment's units make. */
  readonly tree: string;
  readonly units: readonly { readonly name: string; readonly version: string; readonly digest: string }[];
  readonly command: EnvironmentCommand;
}
