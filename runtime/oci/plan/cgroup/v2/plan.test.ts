import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinuxResources } from "../../../config.ts";
import { planResources } from "./plan.ts";

const plan = suite("cgroup v2 resources");

function written(resources: LinuxResources): string[] {
  return planResources(resources, "no").writes.map(({ file, value }) => `${file}=${value}`);
}

plan("limits huge pages that are reserved, then those in use", () =>
  assert.equal(written({ hugepageLimits: [{ pageSize: "1GB", limit: 0 }] }), [
    "hugetlb.1GB.rsvd.max=0",
    "hugetlb.1GB.max=0",
  ]),
);

plan("has no counterpart for network tags", () => assert.equal(written({ network: { classID: 1 } }), []));

plan("writes cpus and memory nodes", () =>
  assert.equal(written({ cpu: { cpus: "0", mems: "0-1" } }), ["cpuset.cpus=0", "cpuset.mems=0-1"]),
);

plan("writes unified last", () =>
  assert.equal(written({ unified: { "pids.max": "7" }, pids: { limit: 5 }, cpu: { shares: 2 } }), [
    "pids.max=5",
    "cpu.weight=1",
    "pids.max=7",
  ]),
);

plan("makes a device program only when it is asked for", () => {
  assert.is(planResources({}, "no").deviceProgram, undefined);
  assert.ok(planResources({}, "yes").deviceProgram);
  assert.is(planResources({}, "yes").devicesOptional, undefined);
  assert.is(planResources({}, "optional").devicesOptional, true);
});

plan.run();
