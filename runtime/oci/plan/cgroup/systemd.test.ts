import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CgroupHost } from "../../../linux/cgroup/host.ts";
import type { UnitProperty } from "../../../linux/cgroup/types.ts";
import type { Config, LinuxResources } from "../../config.ts";
import {
  expandSlice,
  listToBits,
  planAnnotations,
  planProperties,
  planSystemd,
  planUnitName,
  quotaPerSecond,
} from "./systemd.ts";

const systemd = suite("systemd unit");

const V2: CgroupHost = { mode: "v2", hierarchies: [{ name: "", mountpoint: "/sys/fs/cgroup" }] };
const INFINITE = 2n ** 64n - 1n;

const slices: readonly (readonly [slice: string, path: string])[] = [
  ["-.slice", ""],
  ["system.slice", "/system.slice"],
  ["a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"],
];
for (const [slice, path] of slices)
  systemd(`${slice} lies at ${path || "the root"}`, () => assert.is(expandSlice(slice), path));
for (const slice of ["", "a", ".slice", "-a.slice", "a-.slice", "a--b.slice", "a/b.slice", "a.scope"])
  systemd(`${slice || "nothing"} is no slice`, () => assert.throws(() => expandSlice(slice), /invalid slice name/));

const names: readonly (readonly [path: string, user: boolean, slice: string, name: string])[] = [
  ["", false, "system.slice", "reg-web1.scope"],
  ["", true, "user.slice", "reg-web1.scope"],
  ["machine.slice:libpod:abc", false, "machine.slice", "libpod-abc.scope"],
  ["kubepods.slice:cri:pod.slice", false, "kubepods.slice", "pod.slice"],
  ["::x", false, "system.slice", "x.scope"],
  [":a:b+c d", false, "system.slice", "a-b\\x2bc\\x20d.scope"],
];
for (const [path, user, slice, name] of names)
  systemd(`${JSON.stringify(path)} is ${name} in ${slice}`, () =>
    assert.equal(planUnitName(path, "web1", user), { slice, name }),
  );

for (const path of ["/a/b", "a:b", "a:b:c:d"])
  systemd(`refuses the path ${path}`, () =>
    assert.throws(() => planUnitName(path, "web1", false), /expected cgroupsPath to be of format "slice:prefix:name"/),
  );

for (const [quota, period, expected] of [
  [50000, 100000, 500000n],
  [50000, 0, 500000n],
  [1234, 100000, 20000n],
  [-1, 100000, INFINITE],
  [0, 100000, INFINITE],
] as const)
  systemd(`a quota of ${quota} in ${period} is ${expected} a second`, () =>
    assert.is(quotaPerSecond(quota, period), expected),
  );

systemd("writes lists as bits, the lowest first", () => {
  assert.equal([...listToBits("0-2,7,9", "")], [0b10000111, 0b10]);
  for (const bad of ["", "a", "3-1", "1,,2", "-1"]) assert.throws(() => listToBits(bad, "/f"), /invalid list/);
});

function texts(properties: readonly UnitProperty[]): string[] {
  return properties.map(({ name, signature, value }) => `${name} ${signature} ${String(value)}`);
}

const resources: readonly (readonly [
  name: string,
  version: 1 | 2,
  given: LinuxResources,
  expected: readonly string[],
])[] = [
  ["nothing", 2, {}, []],
  [
    "memory on v2",
    2,
    { memory: { limit: 100, swap: 150, reservation: 50 } },
    ["MemoryMax t 100", "MemoryLow t 50", "MemorySwapMax t 50"],
  ],
  ["unlimited memory", 2, { memory: { limit: -1 } }, [`MemoryMax t ${INFINITE}`, `MemorySwapMax t ${INFINITE}`]],
  ["memory on v1", 1, { memory: { limit: 100, swap: 150, reservation: 50 } }, ["MemoryLimit t 100"]],
  [
    "cpu on v2",
    2,
    { cpu: { shares: 1024, quota: 5000, period: 10000, cpus: "0-1", mems: "0" } },
    [
      "CPUWeight t 100",
      "AllowedCPUs ay 3",
      "AllowedMemoryNodes ay 1",
      "CPUQuotaPeriodUSec t 10000",
      "CPUQuotaPerSecUSec t 500000",
    ],
  ],
  ["idle on v2", 2, { cpu: { shares: 1024, idle: 1 } }, ["CPUWeight t 0"]],
  ["cpu on v1", 1, { cpu: { shares: 512, quota: -1 } }, ["CPUShares t 512", `CPUQuotaPerSecUSec t ${INFINITE}`]],
  ["tasks", 2, { pids: { limit: 0 } }, ["TasksMax t 1"]],
  ["unlimited tasks", 2, { pids: { limit: -1 } }, [`TasksMax t ${INFINITE}`]],
  ["weights of block devices", 2, { blockIO: { weight: 100 } }, ["IOWeight t 910"]],
  ["weights of block devices on v1", 1, { blockIO: { weight: 100 } }, ["BlockIOWeight t 100"]],
  [
    "unified",
    2,
    { unified: { "memory.high": "max", "cpu.max": "5000 10000", "cpuset.cpus": "1", "memory.oom.group": "1" } },
    [`MemoryHigh t ${INFINITE}`, "CPUQuotaPeriodUSec t 10000", "CPUQuotaPerSecUSec t 500000", "AllowedCPUs ay 2"],
  ],
];
for (const [name, version, given, expected] of resources)
  systemd(`has properties for ${name}`, () => assert.equal(texts(planProperties(given, version)), expected));

systemd("takes properties from annotations, seconds as microseconds", () =>
  assert.equal(
    texts(
      planAnnotations({
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.TimeoutStopSec": "uint64 5",
        "org.systemd.property.RuntimeMaxSec": "1.5",
        "org.systemd.property.TimeoutStopUSec": "uint64 7",
        "io.kubernetes.pod": "x",
      }),
    ),
    [
      "CollectMode s inactive-or-failed",
      "TimeoutStopUSec t 5000000",
      "RuntimeMaxUSec t 1500000",
      "TimeoutStopUSec t 7",
    ],
  ),
);

systemd("names the annotation that can not be read", () => {
  for (const annotations of [
    { "org.systemd.property.A": "b c" },
    { "org.systemd.property.": "1" },
    { "org.systemd.property.TimeoutSec": "'a'" },
  ])
    assert.throws(() => planAnnotations(annotations), /annotation org\.systemd\.property\./);
});

function configOf(given: LinuxResources, cgroupsPath = "a.slice:p:n"): Config {
  return { ociVersion: "1.0.0", linux: { cgroupsPath, resources: given } };
}

systemd("keeps limits that could break the start for later", () => {
  const { unit, properties, paths } = planSystemd(
    configOf({ memory: { limit: 1 }, pids: { limit: 1 }, cpu: { shares: 2 } }),
    "x",
    false,
    V2,
  );
  assert.equal(texts(properties), ["MemoryMax t 1", "TasksMax t 1"]);
  assert.equal(
    unit.properties.map(({ name }) => name),
    [
      "Description",
      "Slice",
      "Delegate",
      "CPUAccounting",
      "MemoryAccounting",
      "TasksAccounting",
      "IOAccounting",
      "DefaultDependencies",
      "DevicePolicy",
      "DeviceAllow",
      "CPUWeight",
    ],
  );
  assert.equal(paths, { "": "/sys/fs/cgroup/a.slice/p-n.scope" });
  assert.is(unit.user, false);
});

systemd("makes a slice when its name is one", () => {
  const { unit, paths } = planSystemd(configOf({}, "a.slice:p:a-b.slice"), "x", false, V2);
  assert.equal(texts(unit.properties).slice(0, 2), ["Description s reg container x", "Wants as a.slice"]);
  assert.not(unit.properties.some(({ name }) => name === "Delegate"));
  assert.equal(paths, { "": "/sys/fs/cgroup/a.slice/a-b.slice" });
});

systemd("tells devices to systemd, whole drivers by their number", () => {
  const allow = planSystemd(
    configOf({ devices: [{ allow: false }, { allow: true, type: "b", major: 8, minor: 1, access: "r" }] }),
    "x",
    false,
    V2,
  ).unit.properties.find(({ name }) => name === "DeviceAllow");
  const list = allow?.value as readonly (readonly [string, string])[];
  assert.equal(list[0], ["/dev/block/8:1", "r"]);
  assert.ok(list.some(([path, access]) => path === "char-*" && access === "m"));
  assert.ok(list.some(([path, access]) => path === "/dev/char/136:*" && access === "rwm"));
  const all = planSystemd(configOf({ devices: [{ allow: true }] }), "x", false, V2).unit.properties;
  assert.ok(texts(all).includes("DevicePolicy s auto"));
  assert.not(all.some(({ name }) => name === "DeviceAllow"));
});

systemd("asks the user's own manager when the caller is not root", () => {
  const host = { ...V2, own: { "": "/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope" } };
  const { unit, paths } = planSystemd(configOf({}, ""), "x", true, host);
  assert.ok(unit.user);
  assert.equal(paths, { "": "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/user.slice/reg-x.scope" });
  assert.ok(
    planSystemd(configOf({}, ""), "x", false, { ...host, userNamespace: true }).unit.user,
    "root in a user namespace is not root",
  );
});

systemd.run();
