/**
 * Rules of device access, as both cgroup versions enforce them: a default, and exceptions from it. Pure.
 * The v1 kernel evaluates a list of rules this way, and v2 programs are made from the same result, so that a container
 * gets the same access on both. Source: kernel cgroup-v1/devices.rst; runtime-spec config-linux.md "Allowed Device list".
 */
import { ConfigError } from "../../../errors/errors.ts";
import type { DeviceRule } from "../../config.ts";

/** An exception; major and minor -1 stand for every number. */
export interface DeviceException {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Some of "rwm", in this order. */
  readonly access: string;
  /** JSON pointer of the rule that it came from last. */
  readonly field: string;
  /** One of the rules that every container has. */
  readonly standard?: true;
}

export interface DeviceAccess {
  /** What holds for a device that no exception names. The exceptions say the opposite. */
  readonly allow: boolean;
  readonly exceptions: readonly DeviceException[];
}

const FIELD = "/linux/resources/devices";

/** What every container may do, whatever config.json says: any mknod, and the default devices. They come last. */
// biome-ignore format: a table, one device a line
const STANDARD: readonly (readonly [type: "b" | "c", major: number, minor: number, access: string])[] = [
  ["c", -1, -1, "m"],
  ["b", -1, -1, "m"],
  ["c", 1, 3, "rwm"],   // null
  ["c", 1, 8, "rwm"],   // random
  ["c", 1, 7, "rwm"],   // full
  ["c", 5, 0, "rwm"],   // tty
  ["c", 1, 5, "rwm"],   // zero
  ["c", 1, 9, "rwm"],   // urandom
  ["c", 5, 1, "rwm"],   // console
  ["c", 136, -1, "rwm"], // pts/*
  ["c", 5, 2, "rwm"],   // ptmx
  ["c", 10, 200, "rwm"], // net/tun: runc 1.2.0 took it away, and gave it back
];

const STANDARD_EXCEPTIONS: readonly DeviceException[] = STANDARD.map(([type, major, minor, access]) => ({
  type,
  major,
  minor,
  access,
  field: FIELD,
  standard: true,
}));

/** The letters of `access` that are in `wanted` too, or with `keep` false those that are not. */
function filterAccess(access: string, wanted: string, keep: boolean): string {
  let result = "";
  for (const letter of "rwm") if (access.includes(letter) && wanted.includes(letter) === keep) result += letter;
  return result;
}

function sameDevices(a: DeviceException, b: DeviceException): boolean {
  return a.type === b.type && a.major === b.major && a.minor === b.minor;
}

function overlaps(a: DeviceException, b: DeviceException): boolean {
  const meet = (x: number, y: number) => x === -1 || y === -1 || x === y;
  return a.type === b.type && meet(a.major, b.major) && meet(a.minor, b.minor);
}

function describe({ type, major, minor, access }: DeviceException): string {
  return formatRule(type, major, minor, access);
}

/** `c 1:3 rwm`, `b *:* m`: the text that devices.allow takes. */
export function formatRule(type: string, major: number, minor: number, access: string): string {
  return `${type} ${major < 0 ? "*" : major}:${minor < 0 ? "*" : minor} ${access}`;
}

/** Adds an exception, or the accesses that one of the same devices lacks. */
function add(exceptions: DeviceException[], rule: DeviceException): void {
  const index = exceptions.findIndex((one) => sameDevices(one, rule));
  const present = exceptions[index];
  if (present === undefined) exceptions.push(rule);
  else exceptions[index] = { ...present, access: filterAccess("rwm", present.access + rule.access, true) };
}

/** Takes accesses back. The v1 kernel can not do that for a part of what a wider exception gives. */
function remove(exceptions: DeviceException[], rule: DeviceException): void {
  for (let index = exceptions.length - 1; index >= 0; index--) {
    const one = exceptions[index];
    if (one === undefined) continue;
    if (sameDevices(one, rule)) {
      const access = filterAccess(one.access, rule.access, false);
      if (access === "") exceptions.splice(index, 1);
      else exceptions[index] = { ...one, access };
    } else if (overlaps(one, rule) && filterAccess(one.access, rule.access, true) !== "")
      throw new ConfigError(`device rule ${describe(rule)} contradicts a part of the earlier ${describe(one)}`, [
        { pointer: rule.field, expected: "a rule that takes back a whole earlier rule", found: describe(rule) },
      ]);
  }
}

/** The access that a list of rules comes to, with the standard rules after it. Throws ConfigError for a rule that is none. */
export function resolveDevices(rules: readonly DeviceRule[]): DeviceAccess {
  let allow = false;
  let exceptions: DeviceException[] = [];
  rules.forEach((rule, index) => {
    const field = `${FIELD}/${index}`;
    const type = rule.type === undefined || rule.type === "" ? "a" : rule.type;
    // A rule for all kinds is one for all numbers and accesses as well: the kernel takes no narrower one.
    if (type === "a") {
      allow = rule.allow;
      exceptions = [];
      return;
    }
    const kind = type === "b" ? "b" : type === "c" || type === "u" ? "c" : undefined;
    const access = filterAccess("rwm", rule.access || "rwm", true);
    if (kind === undefined || access.length !== new Set(rule.access || "rwm").size)
      throw new ConfigError(
        `invalid device rule ${formatRule(type, rule.major ?? -1, rule.minor ?? -1, rule.access ?? "")}`,
        [{ pointer: field, expected: "type a, b or c, access of r, w and m", found: `${type} ${rule.access ?? ""}` }],
      );
    const exception = { type: kind, major: rule.major ?? -1, minor: rule.minor ?? -1, access, field } as const;
    if (rule.allow === allow) remove(exceptions, exception);
    else add(exceptions, exception);
  });
  if (allow) {
    for (const standard of STANDARD_EXCEPTIONS) relax(exceptions, standard);
    return { allow, exceptions };
  }
  for (const standard of STANDARD_EXCEPTIONS) add(exceptions, standard);
  return { allow, exceptions };
}

/** Lifts a ban from the very devices of a standard rule; a wider ban stays. */
function relax(bans: DeviceException[], standard: DeviceException): void {
  const index = bans.findIndex((ban) => sameDevices(ban, standard));
  const ban = bans[index];
  if (ban === undefined) return;
  const access = filterAccess(ban.access, standard.access, false);
  if (access === "") bans.splice(index, 1);
  else bans[index] = { ...ban, access };
}
