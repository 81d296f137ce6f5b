import { host } from "#host";
import { update } from "../../container/update.ts";
import { UsageError } from "../../errors/errors.ts";
import { readAll, readText } from "../../libc/file.ts";
import type { LinuxResources } from "../../oci/config.ts";
import { parseResources } from "../../oci/parse.ts";
import { defineCommand, type OptionTable, type Values } from "../command.ts";

const OPTIONS = {
  resources: {
    type: "string",
    alias: "r",
    placeholder: "FILE",
    describe: "read the limits from FILE, as JSON in the form of linux.resources; - is standard input",
  },
  "blkio-weight": { type: "number", placeholder: "N", describe: "share of block I/O, from 10 to 1000" },
  "cpu-period": { type: "number", placeholder: "US", describe: "period of the CPU quota, in microseconds" },
  "cpu-quota": { type: "number", placeholder: "US", describe: "CPU time in each period, in microseconds" },
  "cpu-burst": { type: "number", placeholder: "US", describe: "unused CPU time that may be saved up" },
  "cpu-share": { type: "number", placeholder: "N", describe: "share of CPU time, relative to other containers" },
  "cpu-rt-period": { type: "number", placeholder: "US", describe: "period of realtime CPU time (cgroup v1)" },
  "cpu-rt-runtime": { type: "number", placeholder: "US", describe: "realtime CPU time in each period (cgroup v1)" },
  "cpu-idle": { type: "number", placeholder: "N", describe: "1: run only when the CPU is idle" },
  "cpuset-cpus": { type: "string", placeholder: "LIST", describe: "CPUs to use, such as 0-3,7" },
  "cpuset-mems": { type: "string", placeholder: "LIST", describe: "memory nodes to use" },
  memory: { type: "string", placeholder: "SIZE", describe: "memory limit, such as 512m; -1 is none" },
  "memory-reservation": { type: "string", placeholder: "SIZE", describe: "memory that is left when others need some" },
  "memory-swap": { type: "string", placeholder: "SIZE", describe: "limit of memory and swap together; -1 is none" },
  "pids-limit": { type: "number", placeholder: "N", describe: "most processes and threads; -1 is no limit" },
  "l3-cache-schema": { type: "string", describe: "L3 cache ids and bit masks, such as L3:0=7f0" },
  "mem-bw-schema": { type: "string", describe: "memory bandwidth by L3 cache id, such as MB:0=20" },
  "kernel-memory": { type: "string", hidden: true, describe: "accepted for old callers" },
  "kernel-memory-tcp": { type: "string", hidden: true, describe: "accepted for old callers" },
} as const satisfies OptionTable;

export const command = defineCommand({
  name: "update",
  describe: "change the resource limits of a container",
  positionals: [{ name: "id", describe: "the container" }],
  options: OPTIONS,
  run: (values, [id = ""], { root, warn }) => {
    for (const name of ["kernel-memory", "kernel-memory-tcp"] as const)
      if (values[name] !== undefined) warn(`--${name} has no effect: the kernel does not have it any more`);
    const resources = values.resources === undefined ? fromOptions(values) : readResources(values.resources);
    if ((resources.devices ?? []).length > 0)
      warn("devices has no effect: access to devices is set when a container is created, as with runc");
    update(root, id, resources, [values["l3-cache-schema"] ?? "", values["mem-bw-schema"] ?? ""]);
  },
});

function readResources(file: string): LinuxResources {
  return file === "-"
    ? parseResources(host.decode(readAll(0, "standard input")), "standard input")
    : parseResources(readText(file), file);
}

/** The same document as a file would be, so that the same rules hold. */
function fromOptions(values: Values<typeof OPTIONS>): LinuxResources {
  const size = (name: "memory" | "memory-reservation" | "memory-swap") => {
    const text = values[name];
    return text === undefined ? undefined : parseSize(`--${name}`, text);
  };
  const document = {
    blockIO: { weight: values["blkio-weight"] },
    cpu: {
      period: values["cpu-period"],
      quota: values["cpu-quota"],
      burst: values["cpu-burst"],
      shares: values["cpu-share"],
      realtimePeriod: values["cpu-rt-period"],
      realtimeRuntime: values["cpu-rt-runtime"],
      idle: values["cpu-idle"],
      cpus: values["cpuset-cpus"],
      mems: values["cpuset-mems"],
    },
    memory: { limit: size("memory"), reservation: size("memory-reservation"), swap: size("memory-swap") },
    pids: values["pids-limit"] === undefined ? undefined : { limit: values["pids-limit"] },
  };
  return parseResources(JSON.stringify(document), "the options"); // which leaves out what is undefined
}

/** Bytes; k, m, g, t and p are powers of 1024. */
function parseSize(option: string, text: string): number {
  const [, number = "", unit = ""] = /^(-1|\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === "") throw new UsageError(`${option} ${text}: expected a size in bytes, such as 512m`);
  const factor = unit === "" || number === "-1" ? 1 : 1024 ** ("kmgtp".indexOf(unit.toLowerCase()) + 1);
  return Math.floor(Number(number) * factor);
}
