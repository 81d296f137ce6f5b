/**
 * The systemd driver's unit: its name and slice from cgroupsPath "slice:prefix:name", its properties from resources and
 * annotations. Pure. Source: systemd.unit(5), systemd.resource-control(5), systemd.slice(5).
 */
import { at, ConfigError, RegError } from "../../../errors/errors.ts";
import type { CgroupHost } from "../../../linux/cgroup/host.ts";
import type { UnitPlan, UnitProperty } from "../../../linux/cgroup/types.ts";
import type { DbusValue } from "../../../linux/dbus-marshalling.ts";
import type { Config, DeviceRule, LinuxResources } from "../../config.ts";
import { resolveDevices } from "./device-rules.ts";
import { pointerToken } from "./pointer.ts";
import { weightOfShares } from "./v2/cpu.ts";
import { ioWeight } from "./v2/io.ts";
import { swapAlone } from "./v2/memory.ts";
import { parseVariant } from "./variant.ts";

const FIELD = "/linux/cgroupsPath";
const RESOURCES = "/linux/resources";
/** systemd's infinity. */
const INFINITE = 2n ** 64n - 1n;
const ANNOTATION = "org.systemd.property.";

/** Unit, directories, and the properties that come with the limits. */
export interface SystemdPlan {
  readonly unit: UnitPlan;
  readonly paths: Readonly<Record<string, string>>;
  readonly properties: readonly UnitProperty[];
}

function pathFault(path: string, message: string): ConfigError {
  return new ConfigError(message, [{ pointer: FIELD, expected: "slice:prefix:name", found: path }]);
}

/** The directories of a slice: "a-b.slice" lies in "a.slice"; "" for the root slice. */
export function expandSlice(slice: string): string {
  const name = slice.slice(0, -".slice".length);
  if (!slice.endsWith(".slice") || name === "" || slice.includes("/"))
    throw pathFault(slice, `invalid slice name: ${slice}`);
  if (name === "-") return "";
  let path = "";
  let prefix = "";
  for (const part of name.split("-")) {
    if (part === "") throw pathFault(slice, `invalid slice name: ${slice}`);
    prefix += prefix === "" ? part : `-${part}`;
    path += `/${prefix}.slice`;
  }
  return path;
}

/** Characters that a unit's name can not hold are escaped, as systemd-escape(1) does. */
function escapeUnit(name: string): string {
  return name.replaceAll(/[\0-~]/g, (one) =>
    /[A-Za-z0-9:_.\\@-]/.test(one) ? one : `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

interface UnitName {
  readonly slice: string;
  readonly name: string;
}

/** From cgroupsPath; without one, a scope named after the container in the default slice. */
export function planUnitName(path: string, id: string, user: boolean): UnitName {
  const parts = path === "" ? ["", "reg", id] : path.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3)
    throw pathFault(
      path,
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got ${JSON.stringify(path)} instead`,
    );
  const full = name.endsWith(".slice") ? name : `${prefix === "" ? name : `${prefix}-${name}`}.scope`;
  return { slice: slice === "" ? (user ? "user.slice" : "system.slice") : slice, name: escapeUnit(full) };
}

/** The bits of a list such as "0-2,7", the lowest first, as systemd takes CPUs and memory nodes. */
export function listToBits(list: string, field: string): Uint8Array {
  const bytes: number[] = [];
  for (const part of list.split(",")) {
    const [from = "", to = from] = part.trim().split("-");
    const first = Number(from);
    const last = Number(to);
    if (from.trim() === "" || !Number.isInteger(first) || !Number.isInteger(last) || last < first || last > 65535)
      throw new ConfigError(`invalid list ${JSON.stringify(list)}`, [
        { pointer: field, expected: "numbers and ranges, such as 0-3,7", found: list },
      ]);
    for (let bit = first; bit <= last; bit++) {
      const byte = bit >> 3;
      while (bytes.length <= byte) bytes.push(0);
      bytes[byte] = (bytes[byte] ?? 0) | (1 << (bit & 7));
    }
  }
  return new Uint8Array(bytes);
}

/** 64 bits for systemd: negative numbers are infinite. */
function limit(value: number): bigint {
  return value < 0 ? INFINITE : BigInt(value) > INFINITE ? INFINITE : BigInt(value);
}

/** Microseconds of CPU time in a second; whole percents, rounded up, because systemd counts in these. */
export function quotaPerSecond(quota: number, period: number): bigint {
  if (quota <= 0) return INFINITE;
  const exact = (BigInt(quota) * 1_000_000n) / BigInt(period === 0 ? 100_000 : period);
  return ((exact + 9_999n) / 10_000n) * 10_000n;
}

/** Properties for resources, without devices. What systemd has no property for is written to cgroupfs only. */
export function planProperties(resources: LinuxResources, version: 1 | 2): UnitProperty[] {
  const properties: UnitProperty[] = [];
  const add = (name: string, signature: string, value: DbusValue, field: string) => {
    properties.push({ name, signature, value, field: `${RESOURCES}/${field}` });
  };
  const { memory = {}, cpu = {}, pids, blockIO } = resources;
  if (memory.limit) add(version === 2 ? "MemoryMax" : "MemoryLimit", "t", limit(memory.limit), "memory/limit");
  if (version === 2) {
    if (memory.reservation) add("MemoryLow", "t", limit(memory.reservation), "memory/reservation");
    const swap = swapAlone(memory);
    if (swap !== undefined) add("MemorySwapMax", "t", swap === "max" ? INFINITE : BigInt(swap), "memory/swap");
    if (cpu.idle === 1) add("CPUWeight", "t", 0n, "cpu/idle");
    else if (cpu.shares) add("CPUWeight", "t", BigInt(weightOfShares(cpu.shares)), "cpu/shares");
    if (blockIO?.weight) add("IOWeight", "t", BigInt(ioWeight(blockIO.weight)), "blockIO/weight");
    if (cpu.cpus) add("AllowedCPUs", "ay", listToBits(cpu.cpus, `${RESOURCES}/cpu/cpus`), "cpu/cpus");
    if (cpu.mems) add("AllowedMemoryNodes", "ay", listToBits(cpu.mems, `${RESOURCES}/cpu/mems`), "cpu/mems");
  } else {
    if (cpu.shares) add("CPUShares", "t", BigInt(cpu.shares), "cpu/shares");
    if (blockIO?.weight) add("BlockIOWeight", "t", BigInt(blockIO.weight), "blockIO/weight");
  }
  if (cpu.period) add("CPUQuotaPeriodUSec", "t", BigInt(cpu.period), "cpu/period");
  if (cpu.quota || cpu.period)
    add(
      "CPUQuotaPerSecUSec",
      "t",
      quotaPerSecond(cpu.quota ?? 0, cpu.period ?? 0),
      cpu.quota ? "cpu/quota" : "cpu/period",
    );
  if (pids?.limit !== undefined) add("TasksMax", "t", limit(pids.limit === 0 ? 1 : pids.limit), "pids/limit");
  if (version === 2) properties.push(...planUnified(resources.unified ?? {}));
  return properties;
}

const UNIFIED: ReadonlyMap<string, string> = new Map([
  ["memory.max", "MemoryMax"],
  ["memory.high", "MemoryHigh"],
  ["memory.low", "MemoryLow"],
  ["memory.min", "MemoryMin"],
  ["memory.swap.max", "MemorySwapMax"],
  ["pids.max", "TasksMax"],
  ["cpu.weight", "CPUWeight"],
  ["io.weight", "IOWeight"],
]);

/** The files of `unified` that systemd has a property for, so that it does not undo them. */
function planUnified(unified: Readonly<Record<string, string>>): UnitProperty[] {
  const properties: UnitProperty[] = [];
  for (const [file, text] of Object.entries(unified)) {
    const field = `${RESOURCES}/unified/${pointerToken(file)}`;
    const value = text.trim();
    const name = UNIFIED.get(file);
    if (name !== undefined && (value === "max" || /^\d+$/.test(value)))
      properties.push({ name, signature: "t", value: value === "max" ? INFINITE : BigInt(value), field });
    else if (file === "cpuset.cpus" || file === "cpuset.mems")
      properties.push({
        name: file === "cpuset.cpus" ? "AllowedCPUs" : "AllowedMemoryNodes",
        signature: "ay",
        value: listToBits(value, field),
        field,
      });
    else if (file === "cpu.max") {
      const [, quota, period = "100000"] = /^(max|\d{1,15})(?: (\d{1,15}))?$/.exec(value) ?? [];
      if (quota === undefined)
        throw new ConfigError(`invalid cpu.max ${JSON.stringify(value)}`, [
          { pointer: field, expected: "a quota in microseconds or max, and perhaps a period", found: value },
        ]);
      properties.push(
        { name: "CPUQuotaPeriodUSec", signature: "t", value: BigInt(Number(period)), field },
        {
          name: "CPUQuotaPerSecUSec",
          signature: "t",
          value: quotaPerSecond(quota === "max" ? 0 : Number(quota), Number(period)),
          field,
        },
      );
    }
  }
  return properties;
}

/** Device access as systemd knows it, so that it does not open what reg closes when it is told to reload. */
function planDeviceProperties(rules: readonly DeviceRule[]): UnitProperty[] {
  const { allow, exceptions } = resolveDevices(rules);
  const field = `${RESOURCES}/devices`;
  // Bans can not be said to systemd: reg's own rules hold alone.
  if (allow) return [{ name: "DevicePolicy", signature: "s", value: "auto", field }];
  const list = exceptions.map(({ type, major, minor, access }) => {
    const kind = type === "c" ? "char" : "block";
    if (major < 0) return [`${kind}-*`, access];
    return [minor < 0 ? `/dev/${kind}/${major}:*` : `/dev/${kind}/${major}:${minor}`, access];
  });
  return [
    { name: "DevicePolicy", signature: "s", value: "strict", field },
    { name: "DeviceAllow", signature: "a(ss)", value: list, field },
  ];
}

/** Properties from annotations `org.systemd.property.NAME`; `NAMESec` in seconds becomes `NAMEUSec`. */
export function planAnnotations(annotations: Readonly<Record<string, string>>): UnitProperty[] {
  const properties: UnitProperty[] = [];
  for (const [key, text] of Object.entries(annotations)) {
    if (!key.startsWith(ANNOTATION)) continue;
    const name = key.slice(ANNOTATION.length);
    const field = `/annotations/${pointerToken(key)}`;
    if (name === "")
      throw new ConfigError(`annotation ${key} names no property`, [
        { pointer: field, expected: `${ANNOTATION}NAME`, found: key },
      ]);
    const { signature, value } = at(field, () => parseAnnotation(key, text));
    if (!/[a-z]Sec$/.test(name)) properties.push({ name, signature, value, field });
    else if (typeof value === "number" || typeof value === "bigint") {
      const microseconds = typeof value === "bigint" ? value * 1_000_000n : BigInt(Math.round(value * 1_000_000));
      properties.push({ name: `${name.slice(0, -"Sec".length)}USec`, signature: "t", value: microseconds, field });
    } else
      throw new ConfigError(`annotation ${key}=${text}: not a number`, [
        { pointer: field, expected: "seconds", found: text },
      ]);
  }
  return properties;
}

function parseAnnotation(key: string, text: string) {
  try {
    return parseVariant(text);
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    throw new RegError("EINVAL", `annotation ${key}=${text}: ${error.message}`, {
      hint: "write strings in quotes ('a') and numbers with their type (uint64 5)",
    });
  }
}

/** The directory of the user's service manager, which the caller's own cgroup lies in or beside. */
function userManager(own: string): string {
  const at = own.indexOf("/user@");
  const end = own.indexOf("/", at + 1);
  return at < 0 ? "" : end < 0 ? own : own.slice(0, end);
}

/**
 * Plans the unit. Limits that a container's start could break (memory, tasks) are among `properties`, which are set with
 * the other limits; the rest is in the unit from the beginning.
 */
export function planSystemd(config: Config, id: string, rootless: boolean, host: CgroupHost): SystemdPlan {
  const version = host.mode === "v2" ? 2 : 1;
  const user = rootless || host.userNamespace === true;
  const { slice, name } = planUnitName(config.linux?.cgroupsPath ?? "", id, user);
  const directory = `${expandSlice(slice)}/${name}`;
  const paths: Record<string, string> = {};
  for (const hierarchy of host.hierarchies)
    paths[hierarchy.name] =
      `${hierarchy.mountpoint}${user ? userManager(host.own?.[hierarchy.name] ?? "") : ""}${directory}`;
  const isSlice = name.endsWith(".slice");
  const resources = config.linux?.resources ?? {};
  const all = planProperties(resources, version);
  const isLate = ({ name: property }: UnitProperty) => property.startsWith("Memory") || property === "TasksMax";
  const accounting = ["CPU", "Memory", "Tasks", version === 2 ? "IO" : "BlockIO"];
  return {
    unit: {
      name,
      slice,
      user,
      properties: [
        { name: "Description", signature: "s", value: `reg container ${id}` },
        isSlice
          ? { name: "Wants", signature: "as", value: [slice], field: FIELD }
          : { name: "Slice", signature: "s", value: slice, field: FIELD },
        ...(isSlice ? [] : [{ name: "Delegate", signature: "b", value: true }]),
        ...accounting.map((one) => ({ name: `${one}Accounting`, signature: "b", value: true })),
        { name: "DefaultDependencies", signature: "b", value: false },
        ...planDeviceProperties(resources.devices ?? []),
        ...all.filter((property) => !isLate(property)),
        ...planAnnotations(config.annotations ?? {}),
      ],
    },
    paths,
    properties: all.filter(isLate),
  };
}
