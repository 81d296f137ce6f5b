/**
 * Mount options by name, as mount(8), runc and crun know them, into the kernel's terms.
 * Source: runtime-spec config.md "Linux mount options"; mount_setattr(2).
 */
import * as C from "../../libc/constants.ts";

/** What a list of options means. Options that are not in the table are the filesystem's own and go into `data`. */
export interface MountOptions {
  /** MS_* for mount(2). */
  readonly flags: number;
  /** MOUNT_ATTR_* to set and to clear on this mount. */
  readonly set: number;
  readonly clear: number;
  /** MOUNT_ATTR_* to set and to clear on this mount and all below it (the `r...` options). */
  readonly recursiveSet: number;
  readonly recursiveClear: number;
  /** MS_* propagation types, each with MS_REC where asked. */
  readonly propagation: readonly number[];
  readonly bind: boolean;
  readonly recursiveBind: boolean;
  readonly tmpCopyUp: boolean;
  /** crun's: what of a bind mount is a symlink is the symlink itself. Absent: neither. */
  readonly nofollow?: NoFollow;
  /** "idmap" or "ridmap": the mount takes the mapping of a user namespace. */
  readonly idmap?: "idmap" | "ridmap";
  /** Comma-separated, for the filesystem. */
  readonly data: string;
}

/** "source": the symlink is mounted, "copy": one like it is made instead of a mount, "destination": it is mounted on. */
export type NoFollow = Partial<Record<"source" | "copy" | "destination", true>>;

/** name: [MS_* flag, MOUNT_ATTR_* mask, whether the option takes it away] */
// biome-ignore format: a table
const FLAGS: Readonly<Record<string, readonly [flag: number, attribute: number, clears?: boolean]>> = {
  ro: [C.MS_RDONLY, C.MOUNT_ATTR_RDONLY],
  rw: [C.MS_RDONLY, C.MOUNT_ATTR_RDONLY, true],
  nosuid: [C.MS_NOSUID, C.MOUNT_ATTR_NOSUID],
  suid: [C.MS_NOSUID, C.MOUNT_ATTR_NOSUID, true],
  nodev: [C.MS_NODEV, C.MOUNT_ATTR_NODEV],
  dev: [C.MS_NODEV, C.MOUNT_ATTR_NODEV, true],
  noexec: [C.MS_NOEXEC, C.MOUNT_ATTR_NOEXEC],
  exec: [C.MS_NOEXEC, C.MOUNT_ATTR_NOEXEC, true],
  nosymfollow: [C.MS_NOSYMFOLLOW, C.MOUNT_ATTR_NOSYMFOLLOW],
  symfollow: [C.MS_NOSYMFOLLOW, C.MOUNT_ATTR_NOSYMFOLLOW, true],
  nodiratime: [C.MS_NODIRATIME, C.MOUNT_ATTR_NODIRATIME],
  diratime: [C.MS_NODIRATIME, C.MOUNT_ATTR_NODIRATIME, true],
  sync: [C.MS_SYNCHRONOUS, 0],
  async: [C.MS_SYNCHRONOUS, 0, true],
  dirsync: [C.MS_DIRSYNC, 0],
  mand: [C.MS_MANDLOCK, 0],
  nomand: [C.MS_MANDLOCK, 0, true],
  silent: [C.MS_SILENT, 0],
  loud: [C.MS_SILENT, 0, true],
  iversion: [C.MS_I_VERSION, 0],
  noiversion: [C.MS_I_VERSION, 0, true],
  lazytime: [C.MS_LAZYTIME, 0],
  nolazytime: [C.MS_LAZYTIME, 0, true],
  remount: [C.MS_REMOUNT, 0],
  defaults: [0, 0],
};

/** Access-time modes exclude each other: one field of the attributes, several flags. */
const ATIME: Readonly<Record<string, readonly [flag: number, attribute: number]>> = {
  noatime: [C.MS_NOATIME, C.MOUNT_ATTR_NOATIME],
  atime: [0, C.MOUNT_ATTR_RELATIME],
  relatime: [C.MS_RELATIME, C.MOUNT_ATTR_RELATIME],
  norelatime: [0, C.MOUNT_ATTR_RELATIME],
  strictatime: [C.MS_STRICTATIME, C.MOUNT_ATTR_STRICTATIME],
  nostrictatime: [0, C.MOUNT_ATTR_RELATIME],
};
const ATIME_FLAGS = C.MS_NOATIME | C.MS_RELATIME | C.MS_STRICTATIME;

const PROPAGATION: ReadonlyMap<string, number> = new Map([
  ["private", C.MS_PRIVATE],
  ["rprivate", C.MS_PRIVATE | C.MS_REC],
  ["shared", C.MS_SHARED],
  ["rshared", C.MS_SHARED | C.MS_REC],
  ["slave", C.MS_SLAVE],
  ["rslave", C.MS_SLAVE | C.MS_REC],
  ["unbindable", C.MS_UNBINDABLE],
  ["runbindable", C.MS_UNBINDABLE | C.MS_REC],
]);

/** Options that reg acts on itself. */
const NOFOLLOW: Readonly<Record<string, NoFollow>> = {
  "src-nofollow": { source: true },
  "copy-symlink": { copy: true },
  "dest-nofollow": { destination: true },
};
const OWN = ["bind", "rbind", "tmpcopyup", "idmap", "ridmap", ...Object.keys(NOFOLLOW)] as const;

/** All option names known, sorted, for `reg features`. */
export function knownMountOptions(): string[] {
  const single = [...Object.keys(FLAGS), ...Object.keys(ATIME), ...PROPAGATION.keys(), ...OWN];
  const recursive = single
    .filter((name) => attributeOf(name) !== undefined && name !== "defaults")
    .map((name) => `r${name}`);
  return [...new Set([...single, ...recursive])].sort();
}

/** What an option changes: flags and attributes to set, and those to clear before. */
interface Change {
  readonly flags: number;
  readonly clearFlags: number;
  readonly set: number;
  readonly clear: number;
}

/** FLAGS and ATIME in one, made once: on the native host at build time. */
const CHANGES = new Map<string, Change>([
  ...Object.entries(FLAGS).map(([name, [flag, attribute, clears]]): [string, Change] => [
    name,
    clears === true
      ? { flags: 0, clearFlags: flag, set: 0, clear: attribute }
      : { flags: flag, clearFlags: 0, set: attribute, clear: 0 },
  ]),
  ...Object.entries(ATIME).map(([name, [flag, attribute]]): [string, Change] => [
    name,
    { flags: flag, clearFlags: ATIME_FLAGS, set: attribute, clear: C.MOUNT_ATTR__ATIME },
  ]),
]);

/** The change of an option that has a recursive form; undefined for the others. */
function attributeOf(name: string): Change | undefined {
  const change = CHANGES.get(name);
  return change === undefined || (change.set | change.clear) === 0 ? undefined : change;
}

/** The value of MS_PRIVATE and the like for a propagation name such as "rslave"; undefined for other names. */
export function propagationFlag(name: string): number | undefined {
  return PROPAGATION.get(name);
}

/** Reads a list of mount options; later ones win over earlier ones. Pure. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  let flags = 0;
  let set = 0;
  let clear = 0;
  let recursiveSet = 0;
  let recursiveClear = 0;
  const propagation: number[] = [];
  let bind = false;
  let recursiveBind = false;
  let tmpCopyUp = false;
  let nofollow: NoFollow | undefined;
  let idmap: "idmap" | "ridmap" | undefined;
  const data: string[] = [];
  for (const option of options) {
    const entry = CHANGES.get(option);
    if (entry !== undefined) {
      flags = (flags & ~entry.clearFlags) | entry.flags;
      set = (set & ~entry.clear) | entry.set;
      clear = (clear & ~entry.set) | entry.clear;
      continue;
    }
    const kind = PROPAGATION.get(option);
    if (kind !== undefined) {
      propagation.push(kind);
      continue;
    }
    if (option === "bind" || option === "rbind") {
      bind = true;
      recursiveBind = option === "rbind";
      continue;
    }
    if (option === "tmpcopyup") {
      tmpCopyUp = true;
      continue;
    }
    if (Object.hasOwn(NOFOLLOW, option)) {
      nofollow = { ...nofollow, ...NOFOLLOW[option] };
      continue;
    }
    if (option === "idmap" || option === "ridmap") {
      idmap = option;
      continue;
    }
    const change = option.startsWith("r") ? attributeOf(option.slice(1)) : undefined;
    if (change !== undefined) {
      recursiveSet = (recursiveSet & ~change.clear) | change.set;
      recursiveClear = (recursiveClear & ~change.set) | change.clear;
      continue;
    }
    data.push(option);
  }
  return {
    flags,
    set,
    clear,
    recursiveSet,
    recursiveClear,
    propagation,
    bind,
    recursiveBind,
    tmpCopyUp,
    ...(nofollow === undefined ? {} : { nofollow }),
    ...(idmap === undefined ? {} : { idmap }),
    data: data.join(","),
  };
}
