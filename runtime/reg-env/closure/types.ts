/** What a closure is asked for, and what it is. */

import type { CommandRequest } from "./command.ts";

export interface ClosureRequest {
  /** "/", or the path of a root filesystem. */
  readonly root: string;
  /** What the environment is for. */
  readonly command?: CommandRequest;
  /** Names looked up in the PATH of the root, or absolute paths inside it. */
  readonly programs: readonly string[];
  /** Installed packages of the root: all of their files. */
  readonly packages?: readonly string[];
  /** Named sets of files, see presets.ts. */
  readonly presets?: readonly string[];
  /** Paths in the root: files, folders with all that is in them, or globs. */
  readonly include?: readonly string[];
  /** Paths or globs of what is left out, whoever asks for it. */
  readonly exclude?: readonly string[];
  /** NAME=value, each a variable of the command. */
  readonly env?: readonly string[];
  /** Empty directories that the root does not have: PATH[:MODE[:USER[:GROUP]]]. */
  readonly directories?: readonly string[];
  /** What a run of the program touched. */
  readonly traced?: readonly TracedFile[];
}

export interface TracedFile {
  /** Absolute, in the root. */
  readonly path: string;
  /** "examined": stat(2), access(2), readlink(2) and the like. */
  readonly how: "executed" | "opened" | "examined";
  /** Who says so, in words, when it is no run of --trace. */
  readonly why?: string;
}

/** Why a file is in. */
export interface Reason {
  /** Name of the rule, such as "library" or "ca-certificates". */
  readonly rule: string;
  /** Path of the file that asked for it; none when the request itself did. */
  readonly from?: string;
  /** A sentence for people. */
  readonly text: string;
}

export interface Package {
  readonly name: string;
  readonly version: string;
}

/** A regular file, symbolic link or folder of the root. Folders above others are not listed for their own sake. */
export interface ClosureFile {
  readonly path: string;
  readonly reason: Reason;
  /** The installed package that it belongs to. */
  readonly package?: Package;
}

/** A file that the root does not have like this, and the environment needs. */
export interface GeneratedFile {
  readonly content: Uint8Array;
  readonly mode: number;
  readonly reason: Reason;
}

/** An empty directory that the environment needs. */
export interface GeneratedDirectory {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly reason: Reason;
}

export interface Closure {
  readonly root: string;
  /** By path, sorted. */
  readonly files: ReadonlyMap<string, ClosureFile>;
  /** By path, sorted; they take the place of the root's files. */
  readonly generated: ReadonlyMap<string, GeneratedFile>;
  /** By path, sorted. */
  readonly directories?: ReadonlyMap<string, GeneratedDirectory>;
  readonly warnings: readonly string[];
  /** The command or the first program, as it is called: a script has its interpreter before it where it can not be executed itself. */
  readonly command?: readonly string[];
}

/** The reasons from a file up to what was asked for; empty when the file is not in. */
export function chainOf(
  closure: Pick<Closure, "files" | "generated">,
  path: string,
): { path: string; reason: Reason }[] {
  const chain: { path: string; reason: Reason }[] = [];
  for (let next: string | undefined = path; next !== undefined && !chain.some((link) => link.path === next); ) {
    const reason: Reason | undefined = (closure.generated.get(next) ?? closure.files.get(next))?.reason;
    if (reason === undefined) break;
    chain.push({ path: next, reason });
    next = reason.from;
  }
  return chain;
}
