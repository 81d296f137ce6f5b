import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ioWeight, planIo } from "./io.ts";

const io = suite("cgroup v2 io");

for (const [weight, expected] of [
  [0, 0],
  [10, 1],
  [100, 910],
  [500, 4950],
  [1000, 10000],
] as const)
  io(`blkio weight ${weight} is io.weight ${expected}`, () => assert.is(ioWeight(weight), expected));

io("prefers bfq, which takes weights as they are", () =>
  assert.equal(planIo({ weight: 500 }), [
    {
      controller: "io",
      file: "io.bfq.weight",
      value: "500",
      field: "/linux/resources/blockIO/weight",
      otherwise: { controller: "io", file: "io.weight", value: "4950", field: "/linux/resources/blockIO/weight" },
    },
  ]),
);

io("weighs devices, and leaves out those without a weight", () =>
  assert.equal(
    planIo({
      weightDevice: [
        { major: 8, minor: 0, weight: 10 },
        { major: 8, minor: 1, leafWeight: 10 },
      ],
    }).map(({ value, field }) => `${value} ${field}`),
    ["8:0 10 /linux/resources/blockIO/weightDevice/0"],
  ),
);

io("throttles by io.max, a line for each device and kind", () => {
  const device = { major: 8, minor: 16 };
  assert.equal(
    planIo({
      throttleReadBpsDevice: [{ ...device, rate: 1000 }],
      throttleWriteBpsDevice: [{ ...device, rate: 2 ** 60 }],
      throttleReadIOPSDevice: [{ ...device, rate: 30 }],
      throttleWriteIOPSDevice: [
        { ...device, rate: 40 },
        { ...device, minor: 17, rate: 0 },
      ],
    }).map(({ file, value, field }) => `${file} ${value} ${field.slice("/linux/resources/blockIO/".length)}`),
    [
      "io.max 8:16 rbps=1000 throttleReadBpsDevice/0",
      "io.max 8:16 wbps=1152921504606846976 throttleWriteBpsDevice/0",
      "io.max 8:16 riops=30 throttleReadIOPSDevice/0",
      "io.max 8:16 wiops=40 throttleWriteIOPSDevice/0",
      "io.max 8:17 wiops=0 throttleWriteIOPSDevice/1",
    ],
  );
});

io.run();
