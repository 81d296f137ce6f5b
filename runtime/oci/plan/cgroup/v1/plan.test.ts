import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../../../../errors/errors.ts";
import type { LinuxResources } from "../../../config.ts";
import { planResources } from "./plan.ts";

const plan = suite("cgroup v1 resources");

function written(resources: LinuxResources): string[] {
  return planResources(resources, "no").writes.map(({ controller, file, value }) => `${controller}: ${file}=${value}`);
}

plan("limits huge pages that are reserved, then those in use", () =>
  assert.equal(written({ hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }] }), [
    "hugetlb: hugetlb.2MB.rsvd.limit_in_bytes=4194304",
    "hugetlb: hugetlb.2MB.limit_in_bytes=4194304",
  ]),
);

plan("tags network traffic", () =>
  assert.equal(written({ network: { classID: 1048577, priorities: [{ name: "eth0", priority: 5 }] } }), [
    "net_cls: net_cls.classid=1048577",
    "net_prio: net_prio.ifpriomap=eth0 5",
  ]),
);

plan("limits rdma, with what is given", () =>
  assert.equal(
    written({ rdma: { mlx5_0: { hcaHandles: 3, hcaObjects: 10 }, mlx5_1: { hcaObjects: 1 }, mlx5_2: {} } }),
    ["rdma: rdma.max=mlx5_0 hca_handle=3 hca_object=10", "rdma: rdma.max=mlx5_1 hca_object=1"],
  ),
);

plan("writes cpuset and realtime limits early, as no process can join before", () => {
  const { early, writes } = planResources({ cpu: { cpus: "0-1", mems: "0", realtimeRuntime: 5, shares: 10 } }, "no");
  assert.equal(
    early.map(({ file, value }) => `${file}=${value}`),
    ["cpuset.cpus=0-1", "cpuset.mems=0", "cpu.rt_runtime_us=5"],
  );
  assert.equal(
    writes.map(({ file }) => file),
    ["cpu.shares"],
  );
});

plan("refuses unified", () => {
  assert.equal(written({ unified: {} }), []);
  assert.throws(
    () => written({ unified: { "memory.max": "1" } }),
    (error: unknown) =>
      error instanceof ConfigError && error.message === "invalid configuration: cannot use unified on cgroup v1",
  );
});

plan.run();
