/**
 * io controller, cgroup v2, from the specification's blockIO. Weights of 10 to 1000 go to the bfq scheduler as they are,
 * and otherwise to io.weight, whose range is 1 to 10000. Leaf weights have no counterpart.
 * Source: runtime-spec config-linux.md "Block IO"; kernel cgroup-v2.rst "IO Interface Files".
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { BlockIo, BlockIoThrottle } from "../../../config.ts";
import { decimal } from "../number.ts";

const FIELD = "/linux/resources/blockIO";
const controller = "io";

/** io.weight for a blkio weight: one range laid over the other. 0 for no weight. */
export function ioWeight(weight: number): number {
  return weight === 0 ? 0 : Math.trunc(1 + ((weight - 10) * 9999) / 990);
}

export function planIo(block: BlockIo | undefined): FileWrite[] {
  if (block === undefined) return [];
  const writes: FileWrite[] = [];
  const weight = (device: string, value: number, field: string) => {
    const plain = { controller, file: "io.weight", value: `${device}${ioWeight(value)}`, field };
    writes.push({ controller, file: "io.bfq.weight", value: `${device}${value}`, field, otherwise: plain });
  };
  if (block.weight) weight("", block.weight, `${FIELD}/weight`);
  (block.weightDevice ?? []).forEach((one, index) => {
    if (one.weight) weight(`${one.major}:${one.minor} `, one.weight, `${FIELD}/weightDevice/${index}`);
  });
  const throttle = (limits: readonly BlockIoThrottle[] | undefined, name: string, key: string) => {
    (limits ?? []).forEach(({ major, minor, rate }, index) => {
      const value = `${major}:${minor} ${name}=${decimal(rate)}`;
      writes.push({ controller, file: "io.max", value, field: `${FIELD}/${key}/${index}` });
    });
  };
  throttle(block.throttleReadBpsDevice, "rbps", "throttleReadBpsDevice");
  throttle(block.throttleWriteBpsDevice, "wbps", "throttleWriteBpsDevice");
  throttle(block.throttleReadIOPSDevice, "riops", "throttleReadIOPSDevice");
  throttle(block.throttleWriteIOPSDevice, "wiops", "throttleWriteIOPSDevice");
  return writes;
}
