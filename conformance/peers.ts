/** The other OCI runtimes at hand: crun and runc of the machine, and those that `make peers` put into build/peers. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BUILD } from "./paths.ts";
import { findProgram } from "./testing.ts";

export interface Peer {
  readonly kind: "crun" | "runc";
  readonly path: string;
  /** As its --version says: "1.28", "1.1.15". */
  readonly version: string;
  /** Where it is from: "installed", or the name of a Debian suite. */
  readonly origin: string;
}

const KINDS = ["crun", "runc"] as const;

/** Every peer once, oldest version first within its kind. One that does not start is left out. */
export function findPeers(): Peer[] {
  const folder = join(BUILD, "peers");
  const suites = existsSync(folder) ? readdirSync(folder).sort() : [];
  const found = KINDS.flatMap((kind) => [
    describePeer(kind, findProgram(kind), "installed"),
    ...suites.map((suite) => describePeer(kind, join(folder, suite, "bin", kind), suite)),
  ]).filter((peer) => peer !== undefined);
  const isFirst = (peer: Peer, index: number) =>
    found.findIndex((other) => other.kind === peer.kind && other.version === peer.version) === index;
  return found.filter(isFirst).sort((a, b) => a.kind.localeCompare(b.kind) || compareVersions(a.version, b.version));
}

/** The peer of that kind with the highest version, undefined when there is none. */
export function newestPeer(peers: readonly Peer[], kind: Peer["kind"]): Peer | undefined {
  return peers.findLast((peer) => peer.kind === kind);
}

function describePeer(kind: Peer["kind"], path: string | undefined, origin: string): Peer | undefined {
  if (path === undefined || !existsSync(path)) return undefined;
  try {
    const output = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const version = / version (\d+(\.\d+)*)/.exec(output)?.[1];
    return version === undefined ? undefined : { kind, path, version, origin };
  } catch {
    return undefined;
  }
}

/** Orders "1.8.1" before "1.28". */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
