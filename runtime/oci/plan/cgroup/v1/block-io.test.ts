import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planBlockIo } from "./block-io.ts";

const block = suite("cgroup v1 block io");

block("writes weights to bfq where plain ones are gone", () => {
  const [weight, device] = planBlockIo({ weight: 300, weightDevice: [{ major: 8, minor: 0, weight: 20 }] });
  assert.is(weight?.file, "blkio.weight");
  assert.equal(weight?.otherwise, {
    controller: "blkio",
    file: "blkio.bfq.weight",
    value: "300",
    field: "/linux/resources/blockIO/weight",
  });
  assert.is(device?.value, "8:0 20");
});

block("leaves leaf weights out where the kernel has none", () =>
  assert.equal(
    planBlockIo({ leafWeight: 20, weightDevice: [{ major: 8, minor: 0, leafWeight: 30 }] }).map(
      ({ file, value, otherwise }) => `${file}=${value} ${otherwise}`,
    ),
    ["blkio.leaf_weight=20 skip", "blkio.leaf_weight_device=8:0 30 skip"],
  ),
);

block("throttles, a write for each device and kind", () => {
  const rate = [{ major: 8, minor: 16, rate: 1000 }];
  assert.equal(
    planBlockIo({
      throttleReadBpsDevice: rate,
      throttleWriteBpsDevice: rate,
      throttleReadIOPSDevice: rate,
      throttleWriteIOPSDevice: rate,
    }).map(({ file, value }) => `${file}=${value}`),
    ["read_bps", "write_bps", "read_iops", "write_iops"].map((name) => `blkio.throttle.${name}_device=8:16 1000`),
  );
});

block("plans nothing for nothing", () => assert.equal(planBlockIo(undefined), []));

block.run();
