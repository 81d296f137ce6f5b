/**
 * blkio controller, cgroup v1. Weights are 10 to 1000; kernels from 5.0 on have them only with the bfq scheduler.
 * Source: runtime-spec config-linux.md "Block IO"; kernel cgroup-v1/blkio-controller.rst, block/bfq-iosched.rst.
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { BlockIo, BlockIoThrottle } from "../../../config.ts";
import { decimal } from "../number.ts";

const FIELD = "/linux/resources/blockIO";
const controller = "blkio";

/** A write to blkio.NAME, or where that is missing to blkio.bfq.NAME. */
function weightWrite(name: string, value: string, field: string): FileWrite {
  const bfq = { controller, file: `blkio.bfq.${name}`, value, field };
  return { controller, file: `blkio.${name}`, value, field, otherwise: bfq };
}

export function planBlockIo(block: BlockIo | undefined): FileWrite[] {
  if (block === undefined) return [];
  const writes: FileWrite[] = [];
  if (block.weight) writes.push(weightWrite("weight", String(block.weight), `${FIELD}/weight`));
  if (block.leafWeight)
    writes.push({
      controller,
      file: "blkio.leaf_weight",
      value: String(block.leafWeight),
      field: `${FIELD}/leafWeight`,
      otherwise: "skip", // of the cfq scheduler, gone with Linux 5.0
    });
  (block.weightDevice ?? []).forEach(({ major, minor, weight, leafWeight }, index) => {
    const field = `${FIELD}/weightDevice/${index}`;
    if (weight) writes.push(weightWrite("weight_device", `${major}:${minor} ${weight}`, field));
    if (leafWeight)
      writes.push({
        controller,
        file: "blkio.leaf_weight_device",
        value: `${major}:${minor} ${leafWeight}`,
        field,
        otherwise: "skip",
      });
  });
  const throttle = (limits: readonly BlockIoThrottle[] | undefined, file: string, key: string) => {
    (limits ?? []).forEach(({ major, minor, rate }, index) => {
      const value = `${major}:${minor} ${decimal(rate)}`;
      writes.push({ controller, file: `blkio.throttle.${file}`, value, field: `${FIELD}/${key}/${index}` });
    });
  };
  throttle(block.throttleReadBpsDevice, "read_bps_device", "throttleReadBpsDevice");
  throttle(block.throttleWriteBpsDevice, "write_bps_device", "throttleWriteBpsDevice");
  throttle(block.throttleReadIOPSDevice, "read_iops_device", "throttleReadIOPSDevice");
  throttle(block.throttleWriteIOPSDevice, "write_iops_device", "throttleWriteIOPSDevice");
  return writes;
}
