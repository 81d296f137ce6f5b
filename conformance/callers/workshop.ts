/** Where the callers work: a folder for all, and for each caller with each runtime a session. Whatever happens, nothing of it stays. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { removeCgroups, removeIdleCgroups } from "../fixtures/cgroups.ts";
import { REG } from "../paths.ts";
import { findPeers, newestPeer } from "../peers.ts";
import type { Caller, Runtime, User } from "./caller.ts";
import { type Image, makeImage } from "./image.ts";
import { Session } from "./session.ts";
import { addUser, removeUser } from "./user.ts";

const STOP_TIMEOUT_MS = 20_000;

/** A caller that may be started with one runtime. */
export interface Workplace {
  readonly session: Session;
  /** What is put before every script. */
  readonly prologue: string;
  readonly folder: string;
  readonly mark: string;
  readonly user?: User;
}

/** reg, and the newest crun and runc at hand. */
export function findRuntimes(kinds: readonly string[]): Runtime[] {
  const peers = findPeers();
  const newest = (["crun", "runc"] as const).flatMap((kind) => {
    const peer = newestPeer(peers, kind);
    return peer === undefined ? [] : [{ kind, path: peer.path, label: `${kind} ${peer.version}` }];
  });
  return [{ kind: "reg" as const, path: REG, label: "reg" }, ...newest].filter(({ kind }) => kinds.includes(kind));
}

/** "podman 4.3.1". */
export function versionOf({ name, version: [program = "", ...args] }: Caller): string {
  const output = execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return `${name} ${/ v?(\d+\.\d[\w.]*)/.exec(output)?.[1] ?? ""}`.trim();
}

/** Which hierarchies a runtime works with. */
function cgroupsFor({ kind }: Runtime): "all" | "v1" {
  return kind === "crun" ? "v1" : "all";
}

/** A name without what systemd takes for slices in each other. */
function sliceName(name: string): string {
  return name.replaceAll("-", "_");
}

export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), "reg-callers-"));
  readonly #image: Image;
  readonly #cgroups: readonly string[];
  /** What is open, and the script that stops what was started there. */
  readonly #open = new Map<Workplace, string | undefined>();

  /** Cleans up when the program ends, also by a signal. */
  constructor(callers: readonly Caller[]) {
    this.#cgroups = callers.flatMap(({ cgroups }) => cgroups ?? []);
    process.once("exit", () => this.#clean());
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
    chmodSync(this.folder, 0o711); // roots of user namespaces pass through it
    this.#image = makeImage(this.folder);
  }

  async open(caller: Caller, runtime: Runtime, cgroups: "all" | "v1" = cgroupsFor(runtime)): Promise<Workplace> {
    const name = `${caller.name}-${runtime.kind}`;
    const { underSystemd } = caller;
    const cgroupManager = underSystemd?.cgroupManager ?? "cgroupfs";
    const given = `${basename(this.folder)}-${name}`;
    const mark = cgroupManager === "systemd" ? sliceName(given) : given;
    const folder = join(this.folder, name);
    mkdirSync(folder);
    const user = underSystemd?.byUser ? { user: addUser(`${runtime.kind}-user`, folder) } : {};
    const prologue = caller.configure({ runtime, folder, mark, cgroupManager, ...user, ...this.#image });
    const session = await Session.open({ cgroups, systemd: underSystemd !== undefined, ...user });
    const place = { session, prologue, folder, mark, ...user };
    this.#open.set(place, caller.stop === undefined ? undefined : `${prologue}\n${caller.stop}`);
    return place;
  }

  async close(place: Workplace): Promise<void> {
    const stop = this.#open.get(place);
    if (stop !== undefined) await place.session.run(stop, STOP_TIMEOUT_MS);
    await place.session.close();
    if (place.user !== undefined) removeUser(place.user);
    this.#open.delete(place);
    removeCgroups(place.mark);
    rmSync(place.folder, { recursive: true, force: true });
  }

  /** After the last runtime of a caller: cgroups without a mark. */
  removeIdleCgroups(): void {
    for (const name of this.#cgroups) removeIdleCgroups(name);
  }

  #clean(): void {
    for (const [{ session, user }, stop] of this.#open) {
      if (stop !== undefined) session.runNow(stop, STOP_TIMEOUT_MS);
      session.kill();
      if (user !== undefined) removeUser(user);
    }
    for (const mark of [basename(this.folder), sliceName(basename(this.folder))]) removeCgroups(mark);
    this.removeIdleCgroups();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
