/**
 * The seam between the TypeScript and the process it runs in. Two hosts implement it: the native shim (QuickJS,
 * `shim.ts`) and Node with ffi-napi (`node-ffi.ts`); `#host` in package.json names the one in force.
 */

/** C types of a signature, under ffi-napi's names. `string` and `pointer` accept null. */
export type CType = "void" | "int" | "uint" | "long" | "ulong" | "string" | "pointer";

/** A function of libc: its result, then its parameters, in C terms (at most six, all of integer or pointer class). */
export type Signature = readonly [result: CType, parameters: readonly CType[]];

/** What a `pointer` parameter takes: memory of ours, an address that the kernel or libc gave, or NULL. */
export type Pointer = Uint8Array | number | null;

type ArgumentOf<T extends CType> = T extends "string" ? string | null : T extends "pointer" ? Pointer : number;
type ArgumentsOf<P extends readonly CType[]> = { -readonly [I in keyof P]: ArgumentOf<P[I]> };
type ResultOf<T extends CType> = T extends "void" ? undefined : number;

/**
 * The call that a signature describes. Integers are JavaScript numbers, exact to 2^53: no function that reg calls takes
 * or gives more. Pointers come back as numbers.
 */
export type CallOf<S extends Signature> = (...parameters: ArgumentsOf<S[1]>) => ResultOf<S[0]>;

/** A table of signatures turned into callable functions. */
export type CallsOf<T extends Record<string, Signature>> = { readonly [Name in keyof T]: CallOf<T[Name]> };

/** What a host offers. Nothing in it throws for a failed system call: callers look at the result and at `errno()`. */
export interface Host {
  /** "native" may fork, unshare and join namespaces; "node" is multi-threaded and may not. */
  readonly kind: "native" | "node";
  /** The machine's name as uname(2) and Node agree on it. */
  readonly arch: "x64" | "arm64";
  /** The native binary, which the Node host starts as init. */
  readonly initBinary?: string;
  /** The name that the program was started by: argv[0]. */
  readonly program: string;
  /** Command-line arguments after the program's name. */
  readonly args: readonly string[];
  /** The environment, as `NAME=value`. */
  readonly environ: readonly string[];
  /**
   * Descriptors that the start of the process left open because the kernel takes long to close them, above 500; they are of no
   * use, and closed on execve(2). See native-shim/shim.h.
   */
  readonly held: readonly number[];
  /** Makes the functions of a table callable. The native shim has the same table compiled in. */
  bind<T extends Record<string, Signature>>(table: T): CallsOf<T>;
  /**
   * Hands over the program. Node runs it at once. The native host runs it when a process starts; while the build makes the
   * binary's snapshot, it loads `modules` first, so that no command has to.
   */
  start(program: () => Promise<void>, modules: readonly (() => Promise<unknown>)[]): Promise<void>;
  /** Runs what promises wait for, for a program that waits for events itself. Native host only; Node's own loop does that. */
  runJobs(): void;
  /** Frees memory that only refers to itself, and with `trim` gives back to the kernel what is free: for a program that lives long. Native host only. */
  collect(trim: boolean): void;
  /**
   * In a child, right after the fork: takes at once the pages that it is going to write and to run. Each would be a fault otherwise, which costs
   * some ten times as much in a virtual machine. Native host only.
   */
  forked(): void;
  /** errno of the last call that returned -1, saved at once after it. */
  errno(): number;
  /** The address of a buffer's first byte. Keep the buffer referenced as long as the address is in use. */
  address(memory: Uint8Array): number;
  /** UTF-8, and a byte for each of U+DC80 to U+DCFF that stands alone. So are strings that functions of a table take. */
  encode(text: string): Uint8Array;
  /**
   * UTF-8. File names are bytes: one that is not UTF-8 becomes a lone surrogate, U+DC00 + the byte, which `encode` turns back
   * (as Python's surrogateescape).
   */
  decode(bytes: Uint8Array): string;
}
