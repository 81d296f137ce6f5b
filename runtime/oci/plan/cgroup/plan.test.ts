import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CgroupState } from "../../../linux/cgroup/types.ts";
import type { Config } from "../../config.ts";
import { type CgroupHost, type CgroupRequest, needsOwnCgroups, planCgroup, planUpdate } from "./plan.ts";
import { planProperties, planSystemd } from "./systemd.ts";

const plan = suite("cgroup plan");

const V1: CgroupHost = {
  mode: "v1",
  hierarchies: ["memory", "cpu,cpuacct", "unified"].map((name) => ({ name, mountpoint: `/sys/fs/cgroup/${name}` })),
  own: { memory: "/docker/a", "cpu,cpuacct": "/", unified: "/user.slice/me.scope" },
};
const V2: CgroupHost = {
  mode: "v2",
  hierarchies: [{ name: "", mountpoint: "/sys/fs/cgroup" }],
  own: { "": "/user.slice/me.scope" },
};
const REQUEST: CgroupRequest = { id: "web1", cgroupManager: "cgroupfs", rootless: false };

function state(version: 1 | 2): CgroupState {
  return { driver: "cgroupfs", version, paths: {} };
}

function config(cgroupsPath?: string): Config {
  return { ociVersion: "1.0.0", linux: cgroupsPath === undefined ? {} : { cgroupsPath } };
}

const paths: readonly (readonly [
  name: string,
  path: string | undefined,
  host: CgroupHost,
  expected: readonly string[],
])[] = [
  ["no path is the id, below the root", undefined, V2, ["/web1"]],
  ["an absolute path starts at the root", "/a/b", V2, ["/a/b"]],
  ["a relative path starts beside the caller's cgroup", "a/b", V2, ["/user.slice/a/b"]],
  ["a path can not lead out", "/../../a/./b/", V2, ["/a/b"]],
  ["a relative path can not lead out of the caller's cgroup", "../../../a", V2, ["/user.slice/a"]],
  ["an absolute path is the same in every hierarchy", "/a", V1, ["memory/a", "cpu,cpuacct/a", "unified/a"]],
  [
    "a relative path starts in the caller's cgroup of each hierarchy",
    "a",
    V1,
    ["memory/docker/a/a", "cpu,cpuacct/a", "unified/user.slice/a"],
  ],
];
for (const [name, path, host, expected] of paths)
  plan(name, () =>
    assert.equal(
      Object.values(planCgroup(config(path), REQUEST, host).paths).map((found) =>
        found.slice("/sys/fs/cgroup".length).replace(/^\/(?=memory|cpu,|unified)/, ""),
      ),
      expected,
    ),
  );

plan("a caller who is not root gets a cgroup beside its own, or none", () => {
  const planned = planCgroup(config(), { ...REQUEST, rootless: true }, V2);
  assert.is(planned.paths[""], "/sys/fs/cgroup/user.slice/web1");
  assert.is(planned.optional, true);
  assert.is(planCgroup(config("/a"), { ...REQUEST, rootless: true }, V2).optional, false);
  assert.is(planCgroup(config(), REQUEST, V2).optional, false);
});

plan("the root cgroup can not be a container's", () => {
  for (const path of ["/", "//", "/a/.."]) assert.throws(() => planCgroup(config(path), REQUEST, V2), /root cgroup/);
});

plan("the caller's own cgroups are asked for only when they matter", () => {
  assert.is(needsOwnCgroups(config(), REQUEST), false);
  assert.is(needsOwnCgroups(config("/a"), REQUEST), false);
  assert.is(needsOwnCgroups(config("a"), REQUEST), true);
  assert.is(needsOwnCgroups(config(), { ...REQUEST, rootless: true }), true);
  assert.is(needsOwnCgroups(config("a"), { ...REQUEST, cgroupManager: "disabled" }), false);
});

plan("a disabled manager plans nothing at all", () => {
  const { driver, paths: none, writes } = planCgroup(config("/a"), { ...REQUEST, cgroupManager: "disabled" }, V1);
  assert.equal([driver, none, writes], ["disabled", {}, []]);
});

plan("systemd's properties are planned for its containers only", () => {
  const planner = { planSystemd, planProperties };
  const planned = planCgroup(config("a.slice:p:n"), { ...REQUEST, cgroupManager: "systemd", systemd: planner }, V2);
  assert.equal(
    [planned.driver, planned.unit?.name, planned.paths],
    ["systemd", "p-n.scope", { "": "/sys/fs/cgroup/a.slice/p-n.scope" }],
  );
  assert.throws(() => planCgroup(config(), { ...REQUEST, cgroupManager: "systemd" }, V2), /not handed in/);
  const limits = { pids: { limit: 3 } };
  assert.equal(planUpdate(limits, state(2), planner).properties, undefined);
  const update = planUpdate(limits, { ...state(2), driver: "systemd", unit: "p-n.scope" }, planner);
  assert.equal([update.properties?.map(({ name }) => name), update.writes.length], [["TasksMax"], 1]);
});

plan("an update leaves devices alone, and writes everything in one list", () => {
  const limits = planUpdate({ devices: [{ allow: false }], pids: { limit: 3 }, cpu: { cpus: "0" } }, state(1));
  assert.equal(
    limits.writes.map(({ file }) => file),
    ["cpuset.cpus", "pids.max"],
  );
  assert.is(planUpdate({ devices: [{ allow: false }] }, state(2)).deviceProgram, undefined);
});

plan.run();
