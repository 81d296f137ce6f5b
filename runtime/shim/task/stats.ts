/**
 * Stats: the counters of the container's cgroup, in containerd's messages. Read straight from the files, as `reg events` has another
 * shape, and 64 bits are 64 bits here. A file that the kernel or the host lacks is zero.
 */

import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { open, readDirectory, withFd } from "../../libc/file.ts";
import { readControl, readLongControl } from "../../linux/cgroup/file.ts";
import type { CgroupState } from "../../linux/cgroup/types.ts";
import { directoryOf } from "../../linux/cgroup/write.ts";
import { encode, type GivenMessage, type Message, type MessageTable } from "../../linux/protobuf.ts";
import type { Pod } from "../pod.ts";
import type { Any } from "../proto/common.ts";
import { CPU_V2, MEMORY_EVENTS, MEMORY_V1, MEMORY_V2, METRICS_V1, METRICS_V2 } from "../proto/metrics.ts";
import type { CONTAINER, STATS } from "../proto/task.ts";
import { notFound } from "../ttrpc/status.ts";
import type { Task } from "./task.ts";

type Count = number | bigint;

export function stats(pod: Pod, { id }: Message<typeof CONTAINER>): GivenMessage<typeof STATS> {
  const task = pod.task(id);
  const { exit, deleting } = task.init;
  const gone = deleting !== undefined || (exit !== undefined && task.cgroup?.driver === "systemd");
  const given = gone ? task.lastStats : readStats(task);
  if (given === undefined) throw notFound(`container ${id} has no cgroup`);
  return { stats: given };
}

/** What a container has used is asked for after its end too. Its cgroup stays until Delete; one of systemd's goes with its last process. */
export function keepStats(task: Task): void {
  if (task.cgroup?.driver !== "systemd") return;
  try {
    task.lastStats = readStats(task);
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // it went while it was read
  }
}

function readStats({ cgroup }: Task): Any | undefined {
  return cgroup === undefined ? undefined : statsOf(cgroup);
}

/** The counters of a cgroup; undefined where there is none. */
export function statsOf(cgroup: CgroupState): Any | undefined {
  if (Object.keys(cgroup.paths).length === 0) return undefined;
  return cgroup.version === 2
    ? { typeUrl: "io.containerd.cgroups.v2.Metrics", value: encode(METRICS_V2, metricsV2(cgroup.paths[""] ?? "")) }
    : { typeUrl: "io.containerd.cgroups.v1.Metrics", value: encode(METRICS_V1, metricsV1(cgroup)) };
}

/** Exact, also beyond 2^53. */
function exact(text: string | undefined, max: Count = 0): Count {
  if (text === undefined || text === "") return 0;
  if (text === "max") return max;
  return text.length < 16 ? Number(text) : BigInt(text);
}

const NO_LIMIT = 2n ** 64n - 1n;

/** Files of one directory. */
class Files {
  readonly #directory: string | undefined;

  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  count(file: string, max?: Count): Count {
    return this.#directory === undefined ? 0 : exact(readControl(`${this.#directory}/${file}`), max);
  }

  lines(file: string): string[] {
    const text = this.#directory === undefined ? undefined : readLongControl(`${this.#directory}/${file}`);
    return text?.split("\n").filter((line) => line !== "") ?? [];
  }

  /** Lines `name number`, those that the message has. */
  table<T extends MessageTable>(file: string, message: T): Record<string, Count> {
    const table: Record<string, Count> = {};
    for (const line of this.lines(file)) {
      const [name = "", value] = line.split(" ");
      if (Object.hasOwn(message, name)) table[name] = exact(value);
    }
    return table;
  }

  /** The page sizes of hugetlb, such as 2MB. */
  pageSizes(suffix: string): string[] {
    if (this.#directory === undefined) return [];
    return withFd(open(this.#directory, C.O_RDONLY | C.O_DIRECTORY), readDirectory)
      .map(({ name }) => name)
      .filter((name) => name.startsWith("hugetlb.") && name.endsWith(suffix) && !name.includes(".rsvd."))
      .map((name) => name.slice("hugetlb.".length, -suffix.length))
      .sort();
  }

  pressure(file: string): GivenMessage<(typeof CPU_V2)["psi"][1]> | undefined {
    const lines = this.lines(file);
    if (lines.length === 0) return undefined;
    const dataOf = (kind: string) => {
      const values: Record<string, string> = {};
      for (const part of lines.find((line) => line.startsWith(kind))?.split(" ") ?? []) {
        const [name = "", value = ""] = part.split("=");
        values[name] = value;
      }
      const { avg10, avg60, avg300, total } = values;
      return { avg10: Number(avg10 ?? 0), avg60: Number(avg60 ?? 0), avg300: Number(avg300 ?? 0), total: exact(total) };
    };
    return { some: dataOf("some"), full: dataOf("full") };
  }
}

/** USER_HZ is 100 on every machine that reg runs on. */
const TICK_NS = 10_000_000;

function metricsV1(cgroup: CgroupState): GivenMessage<typeof METRICS_V1> {
  const files = (controller: string) => new Files(directoryOf(cgroup, controller));
  const [cpu, accounting, memory, pids, hugetlb] = ["cpu", "cpuacct", "memory", "pids", "hugetlb"].map(files) as [
    Files,
    Files,
    Files,
    Files,
    Files,
  ];
  const ticks = accounting.table("cpuacct.stat", { user: [1, "uint"], system: [2, "uint"] });
  const throttled = cpu.table("cpu.stat", {
    nr_periods: [1, "uint"],
    nr_throttled: [2, "uint"],
    throttled_time: [3, "uint"],
  });
  const oom = memory.table("memory.oom_control", {
    oom_kill_disable: [1, "uint"],
    under_oom: [2, "uint"],
    oom_kill: [3, "uint"],
  });
  const entry = (name: string) => ({
    limit: memory.count(`${name}limit_in_bytes`),
    usage: memory.count(`${name}usage_in_bytes`),
    max: memory.count(`${name}max_usage_in_bytes`),
    failcnt: memory.count(`${name}failcnt`),
  });
  return {
    hugetlb: hugetlb.pageSizes(".limit_in_bytes").map((pagesize) => ({
      usage: hugetlb.count(`hugetlb.${pagesize}.usage_in_bytes`),
      max: hugetlb.count(`hugetlb.${pagesize}.max_usage_in_bytes`),
      failcnt: hugetlb.count(`hugetlb.${pagesize}.failcnt`),
      pagesize,
    })),
    pids: { current: pids.count("pids.current"), limit: pids.count("pids.max") },
    cpu: {
      usage: {
        total: accounting.count("cpuacct.usage"),
        kernel: Number(ticks.system ?? 0) * TICK_NS,
        user: Number(ticks.user ?? 0) * TICK_NS,
        perCpu: (accounting.lines("cpuacct.usage_percpu")[0] ?? "")
          .split(" ")
          .filter((word) => word !== "")
          .map((word) => exact(word)),
      },
      throttling: {
        periods: throttled.nr_periods ?? 0,
        throttledPeriods: throttled.nr_throttled ?? 0,
        throttledTime: throttled.throttled_time ?? 0,
      },
    },
    memory: {
      ...memory.table("memory.stat", MEMORY_V1),
      usage: entry("memory."),
      swap: entry("memory.memsw."),
      kernel: entry("memory.kmem."),
      kernelTcp: entry("memory.kmem.tcp."),
    },
    blkio: blkioV1(files("blkio")),
    memoryOomControl: {
      oomKillDisable: oom.oom_kill_disable ?? 0,
      underOom: oom.under_oom ?? 0,
      oomKill: oom.oom_kill ?? 0,
    },
  };
}

function blkioV1(blkio: Files): GivenMessage<(typeof METRICS_V1)["blkio"][1]> {
  const entries = (...names: string[]) => {
    for (const name of names) {
      const found = blkio.lines(name).flatMap((line) => {
        const [device = "", ...rest] = line.split(" ");
        const [major, minor] = device.split(":");
        if (minor === undefined) return []; // the line "Total"
        const [op = "", value] = rest.length > 1 ? rest : ["", rest[0]];
        return [{ op, major: Number(major), minor: Number(minor), value: exact(value) }];
      });
      if (found.length > 0) return found;
    }
    return [];
  };
  return {
    serviceBytes: entries("blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"),
    serviced: entries("blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"),
    queued: entries("blkio.bfq.io_queued_recursive"),
    serviceTime: entries("blkio.bfq.io_service_time_recursive"),
    waitTime: entries("blkio.bfq.io_wait_time_recursive"),
    merged: entries("blkio.bfq.io_merged_recursive"),
    time: entries("blkio.bfq.time_recursive"),
    sectors: entries("blkio.bfq.sectors_recursive"),
  };
}

function metricsV2(directory: string): GivenMessage<typeof METRICS_V2> {
  const files = new Files(directory);
  return {
    pids: { current: files.count("pids.current"), limit: files.count("pids.max", NO_LIMIT) },
    cpu: { ...files.table("cpu.stat", CPU_V2), psi: files.pressure("cpu.pressure") },
    memory: {
      ...files.table("memory.stat", MEMORY_V2),
      usage: files.count("memory.current"),
      usageLimit: files.count("memory.max", NO_LIMIT),
      swapUsage: files.count("memory.swap.current"),
      swapLimit: files.count("memory.swap.max", NO_LIMIT),
      maxUsage: files.count("memory.peak"),
      swapMaxUsage: files.count("memory.swap.peak"),
      psi: files.pressure("memory.pressure"),
    },
    rdma: { current: rdma(files.lines("rdma.current")), limit: rdma(files.lines("rdma.max")) },
    io: { usage: files.lines("io.stat").map(ioEntry), psi: files.pressure("io.pressure") },
    hugetlb: files.pageSizes(".current").map((pagesize) => ({
      current: files.count(`hugetlb.${pagesize}.current`),
      max: files.count(`hugetlb.${pagesize}.max`, NO_LIMIT),
      pagesize,
      failcnt: files.table(`hugetlb.${pagesize}.events`, { max: [1, "uint"] }).max ?? 0,
    })),
    memoryEvents: files.table("memory.events", MEMORY_EVENTS),
  };
}

/** `name=value` after the first word. */
function valuesOf(line: string): Record<string, string> {
  const values: Record<string, string> = {};
  for (const word of line.split(" ").slice(1)) {
    const [name = "", value = ""] = word.split("=");
    values[name] = value;
  }
  return values;
}

function ioEntry(line: string) {
  const [major, minor] = (line.split(" ")[0] ?? "").split(":");
  const { rbytes, wbytes, rios, wios } = valuesOf(line);
  return {
    major: Number(major),
    minor: Number(minor),
    rbytes: exact(rbytes),
    wbytes: exact(wbytes),
    rios: exact(rios),
    wios: exact(wios),
  };
}

function rdma(lines: readonly string[]) {
  return lines.map((line) => {
    const { hca_handle, hca_object } = valuesOf(line);
    const unlimited = 0xffff_ffff;
    return {
      device: line.split(" ")[0] ?? "",
      hcaHandles: exact(hca_handle, unlimited),
      hcaObjects: exact(hca_object, unlimited),
    };
  });
}
