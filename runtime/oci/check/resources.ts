/** Rules of /linux/resources, and of the document that `update --resources` reads. */
import type { Cpu, DeviceRule, LinuxResources } from "../config.ts";
import { hasWord } from "../words.ts";
import { escapePointer, type Faults } from "./faults.ts";

const MOST_DEVICE_RULES = 2048;

export function resourceRules(resources: LinuxResources, at: string, faults: Faults): void {
  const { devices = [], memory = {}, cpu, hugepageLimits = [], rdma = {}, unified = {} } = resources;
  if (devices.length > MOST_DEVICE_RULES) faults.add(`${at}/devices`, `at most ${MOST_DEVICE_RULES} rules`, devices); // each is compared with those before it
  for (let index = 0; index < devices.length; index++)
    deviceAccessRules(devices[index] as DeviceRule, `${at}/devices/${index}`, faults);
  const { limit = 0, swap = 0 } = memory;
  if (limit > 0 && swap > 0 && swap < limit)
    faults.add(`${at}/memory/swap`, `at least the memory limit, ${limit}, because swap counts both together`, swap);
  if (cpu !== undefined) cpuRules(cpu, `${at}/cpu`, faults);
  for (const [index, { pageSize }] of hugepageLimits.entries())
    if (!/^[1-9]\d*[KMG]B$/.test(pageSize))
      faults.add(`${at}/hugepageLimits/${index}/pageSize`, "a page size such as 2MB", pageSize);
  for (const [device, limits] of Object.entries(rdma)) {
    const pointer = `${at}/rdma/${escapePointer(device)}`;
    if (device === "" || /\s/.test(device)) faults.add(pointer, "the name of an RDMA device", device);
    if (limits.hcaHandles === undefined && limits.hcaObjects === undefined)
      faults.add(pointer, "hcaHandles, hcaObjects or both", limits);
  }
  for (const file of Object.keys(unified))
    if (file === "" || file === "." || file === ".." || file.includes("/"))
      faults.add(`${at}/unified/${escapePointer(file)}`, "the name of a file in the container's cgroup", file);
}

function deviceAccessRules({ type = "", access = "" }: DeviceRule, at: string, faults: Faults): void {
  if (!hasWord(" a b c ", type) && type !== "") faults.add(`${at}/type`, "a, b or c", type);
  if (!/^[rwm]*$/.test(access)) faults.add(`${at}/access`, "some of the letters r, w and m", access);
}

function cpuRules({ quota = 0, burst = 0, idle = 0 }: Cpu, at: string, faults: Faults): void {
  if (quota > 0 && burst > quota) faults.add(`${at}/burst`, `at most the quota, ${quota}`, burst);
  if (idle !== 0 && idle !== 1) faults.add(`${at}/idle`, "0 or 1", idle);
}
