import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cgroups, cgroupV2, needs } from "../../../conformance/testing.ts";
import { detectCgroups, type Hierarchy, hasController, parseOwnCgroups } from "./host.ts";

const hosts = suite("cgroup host");

const named = (...names: string[]): Hierarchy[] =>
  names.map((name) => ({ name, mountpoint: `/sys/fs/cgroup/${name}` }));

hosts("finds its own cgroup in every v1 hierarchy", () =>
  assert.equal(
    parseOwnCgroups(
      "12:cpu,cpuacct:/a\n9:name=systemd:/s:x\n4:memory:/m\n3:net_cls,net_prio:/n\n0::/u\n",
      named("memory", "cpu,cpuacct", "systemd", "unified", "net_prio,net_cls"),
    ),
    { memory: "/m", "cpu,cpuacct": "/a", systemd: "/s:x", unified: "/u", "net_prio,net_cls": "/n" },
  ),
);

hosts("finds its own cgroup on v2", () =>
  assert.equal(parseOwnCgroups("0::/user.slice/a.scope\n", [{ name: "", mountpoint: "/sys/fs/cgroup" }]), {
    "": "/user.slice/a.scope",
  }),
);

hosts("knows the controllers of a hierarchy by its name", () => {
  assert.ok(hasController("cpu,cpuacct", "cpuacct"));
  assert.ok(hasController("memory", "memory"));
  assert.not(hasController("cpuacct", "cpu"));
});

hosts("takes directories that nothing is mounted on for none", () =>
  assert.equal(
    detectCgroups(false, "/").hierarchies.find(({ name }) => name === "usr"),
    undefined,
  ),
);

hosts("finds nothing where there are no cgroups", () =>
  assert.equal(detectCgroups(false, "/no/such/directory"), { mode: "v1", hierarchies: [] }),
);

needs(hosts, cgroups)("detects this machine's cgroups", () => {
  const { mode, hierarchies, own } = detectCgroups(true);
  assert.is(mode, cgroupV2.met ? "v2" : "v1");
  assert.ok(hierarchies.some(({ name }) => name === "" || hasController(name, "memory")));
  for (const { name } of hierarchies) assert.ok(own?.[name]?.startsWith("/"), name);
});

hosts.run();
