/**
 * What a cgroup has used: the `data` object of `reg events --stats`, in the shape that its readers know.
 * Files that a kernel or a host lacks count as zero. Source: kernel cgroup-v1/*.rst, cgroup-v2.rst, accounting/psi.rst.
 */

import { ENOENT } from "../../errors/errno.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, readDirectory, withFd } from "../../libc/file.ts";
import { readControl, readLongControl } from "./file.ts";
import type { CgroupState } from "./types.ts";
import { directoryOf } from "./write.ts";

/** Pressure stall information: percentages of time, and the total in microseconds. */
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly total: number;
}
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

export interface CpuStats {
  /** Nanoseconds. */
  readonly usage: {
    readonly total: number;
    readonly percpu?: readonly number[];
    readonly percpu_kernel?: readonly number[];
    readonly percpu_user?: readonly number[];
    readonly kernel: number;
    readonly user: number;
  };
  readonly throttling: { readonly periods: number; readonly throttledPeriods: number; readonly throttledTime: number };
  readonly psi?: Pressure;
}

export interface CpusetStats {
  readonly cpus: readonly number[];
  readonly cpu_exclusive: number;
  readonly mems: readonly number[];
  readonly mem_hardwall: number;
  readonly mem_exclusive: number;
  readonly memory_migrate: number;
  readonly memory_spread_page: number;
  readonly memory_spread_slab: number;
  readonly memory_pressure: number;
  readonly sched_load_balance: number;
  readonly sched_relax_domain_level: number;
}

/** Bytes; no limit is UNLIMITED. */
export interface MemoryEntry {
  readonly limit: number;
  readonly usage: number;
  readonly max: number;
  readonly failcnt: number;
}

export interface MemoryStats {
  /** Page cache, bytes. */
  readonly cache: number;
  readonly usage: MemoryEntry;
  /** Memory and swap together, on v2 too. */
  readonly swap: MemoryEntry;
  readonly kernel: MemoryEntry;
  readonly kernelTCP: MemoryEntry;
  /** memory.stat as it is. */
  readonly raw: Readonly<Record<string, number>>;
  readonly psi?: Pressure;
}

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

export interface BlkioStats {
  readonly ioServiceBytesRecursive: readonly BlkioEntry[];
  readonly ioServicedRecursive: readonly BlkioEntry[];
  readonly ioQueueRecursive: readonly BlkioEntry[];
  readonly ioServiceTimeRecursive: readonly BlkioEntry[];
  readonly ioWaitTimeRecursive: readonly BlkioEntry[];
  readonly ioMergedRecursive: readonly BlkioEntry[];
  readonly ioTimeRecursive: readonly BlkioEntry[];
  readonly sectorsRecursive: readonly BlkioEntry[];
  readonly psi?: Pressure;
}

export interface HugetlbStats {
  readonly usage: number;
  readonly max: number;
  readonly failcnt: number;
}

export interface CgroupStats {
  readonly cpu: CpuStats;
  readonly cpuset: CpusetStats;
  readonly memory: MemoryStats;
  readonly pids: { readonly current: number; readonly limit: number };
  readonly blkio: BlkioStats;
  /** By page size, such as "2MB". */
  readonly hugetlb: Readonly<Record<string, HugetlbStats>>;
}

/** No limit: what v1 shows, and less than 2^63, so that readers with 64-bit integers can take it. */
export const UNLIMITED = 2 ** 63 - 4096;

/** USER_HZ is 100 on every machine that reg runs on. */
const TICK_NS = 10_000_000;

/** Statistics of the cgroup; zeros when there is none. */
export function readStats(state: CgroupState): CgroupStats {
  return state.version === 2 ? readStatsV2(state.paths[""]) : readStatsV1(state);
}

function numberOf(text: string | undefined): number {
  return text === undefined ? 0 : text === "max" ? UNLIMITED : Number(text);
}

function readNumber(directory: string | undefined, file: string): number {
  return directory === undefined ? 0 : numberOf(readControl(`${directory}/${file}`));
}

/** The lines `key number` of a file such as memory.stat. */
export function parseTable(text: string): Record<string, number> {
  const table: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) table[line.slice(0, space)] = numberOf(line.slice(space + 1));
  }
  return table;
}

function readTable(directory: string | undefined, file: string): Record<string, number> {
  return directory === undefined ? {} : parseTable(readLongControl(`${directory}/${file}`) ?? "");
}

/** The numbers of a list such as "0-2,7". */
export function parseList(text: string): number[] {
  const numbers: number[] = [];
  for (const part of text.split(",")) {
    if (part === "") continue;
    const [first = "", last = first] = part.split("-");
    for (let number = Number(first); number <= Number(last); number++) numbers.push(number);
  }
  return numbers;
}

const NO_PRESSURE: PressureLine = { avg10: 0, avg60: 0, avg300: 0, total: 0 };

/** cpu.pressure and its like: `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`. */
export function parsePressure(text: string): Pressure {
  const lines: Record<string, PressureLine> = {};
  for (const line of text.split("\n")) {
    const [kind = "", ...pairs] = line.split(" ");
    const values: Record<string, number> = {};
    for (const pair of pairs) {
      const equals = pair.indexOf("=");
      values[pair.slice(0, equals)] = Number(pair.slice(equals + 1));
    }
    const { avg10 = 0, avg60 = 0, avg300 = 0, total = 0 } = values;
    lines[kind] = { avg10, avg60, avg300, total };
  }
  return { some: lines.some ?? NO_PRESSURE, full: lines.full ?? NO_PRESSURE };
}

/** `{ psi }`, or nothing where the kernel has no pressure stall information. */
function readPressure(directory: string | undefined, file: string): { psi?: Pressure } {
  const text = directory === undefined ? undefined : readControl(`${directory}/${file}`);
  return text === undefined || text === "" ? {} : { psi: parsePressure(text) };
}

/** blkio files of v1: `8:0 Read 4096`, and `8:0 4096` for those without an operation. */
export function parseBlkio(text: string): BlkioEntry[] {
  const entries: BlkioEntry[] = [];
  for (const line of text.split("\n")) {
    const [device = "", ...rest] = line.split(" ");
    const colon = device.indexOf(":");
    const [op = "", value] = rest.length > 1 ? rest : ["", rest[0]];
    if (colon < 0 || value === undefined) continue;
    entries.push({
      major: Number(device.slice(0, colon)),
      minor: Number(device.slice(colon + 1)),
      op,
      value: Number(value),
    });
  }
  return entries;
}

/** io.stat of v2: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. */
export function parseIoStat(text: string): Pick<BlkioStats, "ioServiceBytesRecursive" | "ioServicedRecursive"> {
  const OPERATIONS: Readonly<Record<string, string>> = { r: "Read", w: "Write", d: "Discard" };
  const bytes: BlkioEntry[] = [];
  const operations: BlkioEntry[] = [];
  for (const line of text.split("\n")) {
    const [device = "", ...pairs] = line.split(" ");
    const colon = device.indexOf(":");
    if (colon < 0) continue;
    const major = Number(device.slice(0, colon));
    const minor = Number(device.slice(colon + 1));
    for (const pair of pairs) {
      const equals = pair.indexOf("=");
      const key = pair.slice(0, equals);
      const op = OPERATIONS[key[0] ?? ""];
      const entry = { major, minor, op: op ?? "", value: Number(pair.slice(equals + 1)) };
      if (op === undefined) continue;
      if (key.slice(1) === "bytes") bytes.push(entry);
      else if (key.slice(1) === "ios") operations.push(entry);
    }
  }
  return { ioServiceBytesRecursive: bytes, ioServicedRecursive: operations };
}

const NO_BLKIO = {
  ioServiceBytesRecursive: [],
  ioServicedRecursive: [],
  ioQueueRecursive: [],
  ioServiceTimeRecursive: [],
  ioWaitTimeRecursive: [],
  ioMergedRecursive: [],
  ioTimeRecursive: [],
  sectorsRecursive: [],
} as const;

/** Names of files in a cgroup directory; none when it is not there. */
function filesOf(directory: string): string[] {
  try {
    return withFd(open(directory, C.O_RDONLY | C.O_DIRECTORY), readDirectory).map(({ name }) => name);
  } catch (error) {
    if (isErrno(error, ENOENT)) return [];
    throw error;
  }
}

/** hugetlb statistics of each page size that has a file `hugetlb.SIZE.SUFFIX`. */
function readHugetlb(
  directory: string | undefined,
  suffix: string,
  read: (directory: string, size: string) => HugetlbStats,
): Record<string, HugetlbStats> {
  const sizes: Record<string, HugetlbStats> = {};
  if (directory === undefined) return sizes;
  for (const file of filesOf(directory)) {
    if (!file.startsWith("hugetlb.") || !file.endsWith(suffix) || file.includes(".rsvd.")) continue;
    const size = file.slice("hugetlb.".length, -suffix.length);
    sizes[size] = read(directory, size);
  }
  return sizes;
}

function readCpuset(directory: string | undefined): CpusetStats {
  const list = (file: string) => parseList((directory && readControl(`${directory}/${file}`)) || "");
  const flag = (name: string) => readNumber(directory, `cpuset.${name}`);
  return {
    cpus: list("cpuset.cpus"),
    cpu_exclusive: flag("cpu_exclusive"),
    mems: list("cpuset.mems"),
    mem_hardwall: flag("mem_hardwall"),
    mem_exclusive: flag("mem_exclusive"),
    memory_migrate: flag("memory_migrate"),
    memory_spread_page: flag("memory_spread_page"),
    memory_spread_slab: flag("memory_spread_slab"),
    memory_pressure: flag("memory_pressure"),
    sched_load_balance: flag("sched_load_balance"),
    sched_relax_domain_level: flag("sched_relax_domain_level"),
  };
}

function readCpuV1(state: CgroupState): CpuStats {
  const accounting = directoryOf(state, "cpuacct");
  const throttling = readTable(directoryOf(state, "cpu"), "cpu.stat");
  const ticks = readTable(accounting, "cpuacct.stat");
  const user: number[] = [];
  const kernel: number[] = [];
  // `cpu user system` above a line for each CPU, nanoseconds.
  const all = (accounting && readLongControl(`${accounting}/cpuacct.usage_all`)) || "";
  for (const line of all.split("\n").slice(1)) {
    const [cpu, userNs, kernelNs] = line.split(" ");
    if (!cpu) continue;
    user.push(Number(userNs));
    kernel.push(Number(kernelNs));
  }
  const percpu = (accounting && readLongControl(`${accounting}/cpuacct.usage_percpu`)) || "";
  return {
    usage: {
      total: readNumber(accounting, "cpuacct.usage"),
      percpu: percpu.trim() === "" ? [] : percpu.trim().split(" ").map(Number),
      percpu_kernel: kernel,
      percpu_user: user,
      kernel: (ticks.system ?? 0) * TICK_NS,
      user: (ticks.user ?? 0) * TICK_NS,
    },
    throttling: {
      periods: throttling.nr_periods ?? 0,
      throttledPeriods: throttling.nr_throttled ?? 0,
      throttledTime: throttling.throttled_time ?? 0,
    },
  };
}

function readMemoryV1(directory: string | undefined): MemoryStats {
  const entry = (prefix: string): MemoryEntry => ({
    limit: readNumber(directory, `memory.${prefix}limit_in_bytes`),
    usage: readNumber(directory, `memory.${prefix}usage_in_bytes`),
    max: readNumber(directory, `memory.${prefix}max_usage_in_bytes`),
    failcnt: readNumber(directory, `memory.${prefix}failcnt`),
  });
  const raw = readTable(directory, "memory.stat");
  return {
    cache: raw.cache ?? 0,
    usage: entry(""),
    swap: entry("memsw."),
    kernel: entry("kmem."),
    kernelTCP: entry("kmem.tcp."),
    raw,
  };
}

/** The bfq scheduler's numbers where it is in use, otherwise those of the layer above all schedulers. */
function readBlkioV1(directory: string | undefined): BlkioStats {
  if (directory === undefined) return NO_BLKIO;
  const read = (file: string) => parseBlkio(readLongControl(`${directory}/blkio.${file}`) ?? "");
  const withBfq = (name: string) => {
    const entries = read(`bfq.${name}_recursive`);
    return entries.length > 0 ? entries : read(`throttle.${name}_recursive`);
  };
  return {
    ioServiceBytesRecursive: withBfq("io_service_bytes"),
    ioServicedRecursive: withBfq("io_serviced"),
    ioQueueRecursive: read("bfq.io_queued_recursive"),
    ioServiceTimeRecursive: read("bfq.io_service_time_recursive"),
    ioWaitTimeRecursive: read("bfq.io_wait_time_recursive"),
    ioMergedRecursive: read("bfq.io_merged_recursive"),
    ioTimeRecursive: read("bfq.time_recursive"),
    sectorsRecursive: read("bfq.sectors_recursive"),
  };
}

function readStatsV1(state: CgroupState): CgroupStats {
  const pids = directoryOf(state, "pids");
  const limit = readNumber(pids, "pids.max");
  return {
    cpu: readCpuV1(state),
    cpuset: readCpuset(directoryOf(state, "cpuset")),
    memory: readMemoryV1(directoryOf(state, "memory")),
    pids: { current: readNumber(pids, "pids.current"), limit: limit === UNLIMITED ? 0 : limit },
    blkio: readBlkioV1(directoryOf(state, "blkio")),
    hugetlb: readHugetlb(directoryOf(state, "hugetlb"), ".limit_in_bytes", (directory, size) => ({
      usage: readNumber(directory, `hugetlb.${size}.usage_in_bytes`),
      max: readNumber(directory, `hugetlb.${size}.max_usage_in_bytes`),
      failcnt: readNumber(directory, `hugetlb.${size}.failcnt`),
    })),
  };
}

function readCpuV2(directory: string | undefined): CpuStats {
  const stat = readTable(directory, "cpu.stat");
  return {
    usage: {
      total: (stat.usage_usec ?? 0) * 1000,
      kernel: (stat.system_usec ?? 0) * 1000,
      user: (stat.user_usec ?? 0) * 1000,
    },
    throttling: {
      periods: stat.nr_periods ?? 0,
      throttledPeriods: stat.nr_throttled ?? 0,
      throttledTime: (stat.throttled_usec ?? 0) * 1000,
    },
    ...readPressure(directory, "cpu.pressure"),
  };
}

function readMemoryV2(directory: string | undefined): MemoryStats {
  const raw = readTable(directory, "memory.stat");
  const events = readTable(directory, "memory.events");
  const usage: MemoryEntry = {
    limit: readNumber(directory, "memory.max"),
    usage: readNumber(directory, "memory.current"),
    max: readNumber(directory, "memory.peak"),
    failcnt: events.max ?? 0,
  };
  const swapLimit = readNumber(directory, "memory.swap.max");
  const swap: MemoryEntry = {
    limit: Math.min(UNLIMITED, usage.limit + swapLimit),
    usage: usage.usage + readNumber(directory, "memory.swap.current"),
    max: 0,
    failcnt: 0,
  };
  const none: MemoryEntry = { limit: 0, usage: 0, max: 0, failcnt: 0 };
  return {
    cache: raw.file ?? 0,
    usage,
    swap,
    kernel: { ...none, usage: raw.kernel ?? 0 },
    kernelTCP: { ...none, usage: raw.sock ?? 0 },
    raw,
    ...readPressure(directory, "memory.pressure"),
  };
}

function readStatsV2(directory: string | undefined): CgroupStats {
  const limit = readNumber(directory, "pids.max");
  const io = (directory && readLongControl(`${directory}/io.stat`)) || "";
  return {
    cpu: readCpuV2(directory),
    cpuset: readCpuset(directory),
    memory: readMemoryV2(directory),
    pids: { current: readNumber(directory, "pids.current"), limit: limit === UNLIMITED ? 0 : limit },
    blkio: { ...NO_BLKIO, ...parseIoStat(io), ...readPressure(directory, "io.pressure") },
    hugetlb: readHugetlb(directory, ".current", (path, size) => ({
      usage: readNumber(path, `hugetlb.${size}.current`),
      max: 0,
      failcnt: readTable(path, `hugetlb.${size}.events`).max ?? 0,
    })),
  };
}
