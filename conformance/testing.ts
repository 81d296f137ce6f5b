/**
 * What a test needs of the machine, and what happens when it is not there: the test is counted as skipped, with its reason printed.
 *
 *   const lifecycle = suite("lifecycle");
 *   const test = needs(lifecycle, root, cgroupV1);
 *   test("starts a container", () => { ... });
 *   lifecycle.run();
 */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { delimiter, join } from "node:path";
import type { Callback, Test } from "uvu";

/** A condition, and the words for its absence: "needs root". */
export interface Need {
  readonly met: boolean;
  readonly reason: string;
}

/** The line that run-tests.ts looks for in a test file's output. */
export const SKIP_MARK = "# skip";

/** Returns a function like the suite, which skips the tests given to it unless all needs are met. */
export function needs<T>(tests: Test<T>, ...conditions: readonly Need[]): (name: string, test: Callback<T>) => void {
  const missing = conditions.filter((condition) => !condition.met).map((condition) => condition.reason);
  if (missing.length === 0) return (name, test) => tests(name, test);
  return (name) => {
    tests.skip();
    console.log(`${SKIP_MARK} ${missing.join(", ")}: ${name}`);
  };
}

/** A need that is made up on the spot, such as `need("a swap area", hasSwap())`. */
export function need(what: string, met: boolean): Need {
  return { met, reason: `needs ${what}` };
}

/** The need for a program in PATH. */
export function program(name: string): Need {
  return need(name, findProgram(name) !== undefined);
}

/** Absolute path of a program in PATH or in the sbin folders, undefined when there is none. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isMounted(pattern: RegExp): boolean {
  return pattern.test(readFileSync("/proc/self/mounts", "utf8"));
}

/** Whether the kernel is this one or newer. */
export function isLinux(wantedMajor: number, wantedMinor: number): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

export const root: Need = need("root", process.getuid?.() === 0);
export const cgroupV2: Need = need("cgroup v2", existsSync("/sys/fs/cgroup/cgroup.controllers"));
export const cgroupV1: Need = need("cgroup v1", !cgroupV2.met && isMounted(/ cgroup .*\bmemory\b/m));
/** Any usable cgroup hierarchy. */
export const cgroups: Need = need("cgroups", cgroupV1.met || cgroupV2.met);
/** Root that may mount: a container with CAP_SYS_ADMIN taken away is not enough. */
export const mounting: Need = need("CAP_SYS_ADMIN", hasCapability(21));
/** Root that may give nice values below 0. */
export const nicing: Need = need("CAP_SYS_NICE", hasCapability(23));
export const systemd: Need = need("systemd", existsSync("/run/systemd/system"));

/** Whether bit `number` of this process's effective capabilities is set. */
function hasCapability(number: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n;
}
