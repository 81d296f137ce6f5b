/** What a caller's file says: how the caller is set up for one runtime, and its list of cases. Cases are data; run.ts runs them. */
import type { Need } from "../testing.ts";

/** A runtime that the callers are given. */
export interface Runtime {
  readonly kind: "reg" | "crun" | "runc";
  readonly path: string;
  /** As it is written in the table: "reg", "runc 1.1.15". */
  readonly label: string;
}

/** What a caller's preparation is told. Every path is private to one caller with one runtime. */
export interface Place {
  readonly runtime: Runtime;
  /** Empty folder for all that the caller stores. */
  readonly folder: string;
  /** Part of the names of all cgroups that the caller makes; they are removed by it. With systemd it is a slice's name. */
  readonly mark: string;
  readonly cgroupManager: "systemd" | "cgroupfs";
  /** Who calls, when it is not root. */
  readonly user?: User;
  /** Image of the test root filesystem, a docker-archive with the name `IMAGE`. */
  readonly archive: string;
  /** The same root filesystem as a folder. */
  readonly rootfs: string;
}

/** A user of the machine with a session of systemd's. */
export interface User {
  readonly name: string;
  readonly id: number;
  readonly home: string;
}

export interface Case {
  readonly name: string;
  /** Shell script. It finds `$image`, `$c` (a container's name of its own), `$mark`, `$runtime`, `$kind`, `$dir` and the caller's functions. */
  readonly run: string;
  /** Exit status expected; 0 when left out. */
  readonly status?: number;
  /** What stdout must be, trimmed; SAME asks for runc's or, without runc, crun's. Left out: anything. */
  readonly output?: string | RegExp | typeof SAME;
  /** stdout is TAP: the case passes when no check fails, and reg must not fail more checks than the peer that fails the fewest. */
  readonly tap?: true;
  /** Takes long, left out by --quick. */
  readonly slow?: true;
  /** Why reg is right not to pass, although a peer does. */
  readonly explained?: string;
  /** Runtimes that it asks too much of, with the reason. */
  readonly skip?: Partial<Record<Runtime["kind"], string>>;
}

/** Expected output: that of the peers. */
export const SAME = Symbol("same as the peers");

/** Name of the test image, and its user. */
export const IMAGE = "localhost/small:latest";

export interface Caller {
  readonly name: string;
  /** What must be there; a caller that misses any is skipped with the reason. */
  readonly needs: readonly Need[];
  /** Command that prints the caller's version. */
  readonly version: readonly string[];
  /** Writes configuration below `folder`. Returns the shell script that is put before each case: variables and functions. */
  readonly configure: (place: Place) => string;
  /** Shell script that is run once before all cases: daemons are started, the image is loaded. It may leave processes in the background. */
  readonly start: string;
  /** Names of cgroups that the caller makes without `mark` in them: removed in the end if nothing is in them. */
  readonly cgroups?: readonly string[];
  /** Shell script that is run once after all cases, or when they are interrupted, put after the same prologue. Its status does not matter. */
  readonly stop?: string;
  /**
   * It works under the machine's systemd; `cgroupManager` says who makes the containers' cgroups. With `byUser` users call it, each runtime's
   * one of its own: only where the machine is thrown away.
   */
  readonly underSystemd?: { readonly cgroupManager: "systemd" | "cgroupfs"; readonly byUser?: true };
  /** Runtimes that this caller can not use, with the reason. */
  readonly skip?: Partial<Record<Runtime["kind"], string>>;
  readonly cases: readonly Case[];
}

/** A list in which the peers do what they did in the one before, where that takes too long: only what is compared with them is asked of them. */
export function peersBefore(cases: readonly Case[]): readonly Case[] {
  const why = "as in the list before";
  return cases.map((one) => (one.output === SAME ? one : { ...one, skip: { crun: why, runc: why, ...one.skip } }));
}
