/** The container's plan, from config.json and facts about a host; no root, no kernel. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as C from "../../libc/constants.ts";
import { CAPABILITY_NAMES, capabilitySet } from "../../linux/capability.ts";
import type { CgroupHost } from "../../linux/cgroup/host.ts";
import type { Config, Linux } from "../config.ts";
import { defaultSpec } from "../default-spec.ts";
import { type Plan, type PlanOptions, planContainer } from "./plan.ts";

const plan = suite("plan");

const HOST: CgroupHost = { mode: "v2", hierarchies: [{ name: "", mountpoint: "/sys/fs/cgroup" }] };
const OPTIONS: PlanOptions = {
  id: "web1",
  bundle: "/bundle",
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
  listenFds: 0,
  cgroupManager: "cgroupfs",
  rootless: false,
};

function planOf(change: (config: Config) => Partial<Config>, options: Partial<PlanOptions> = {}): Plan {
  const config = defaultSpec({ rootless: false });
  return planContainer({ ...config, ...change(config) }, { ...OPTIONS, ...options }, HOST);
}
const processOf = (process: Partial<NonNullable<Config["process"]>>, options: Partial<PlanOptions> = {}) =>
  planOf((config) => ({ process: { cwd: "/", ...config.process, ...process } }), options).process;
const linuxOf = (linux: NonNullable<Config["linux"]>) => planOf((config) => ({ linux: { ...config.linux, ...linux } }));

plan("makes all namespaces without a path, and joins the others, user first", () => {
  const { namespaces } = linuxOf({
    namespaces: [
      { type: "pid" },
      { type: "network", path: "/run/netns/a" },
      { type: "user", path: "/proc/1/ns/user" },
      { type: "mount" },
    ],
  });
  assert.is(namespaces.create, C.CLONE_NEWPID | C.CLONE_NEWNS);
  assert.equal(
    namespaces.join.map(({ type, field }) => [type, field]),
    [
      ["user", "/linux/namespaces/2/path"],
      ["network", "/linux/namespaces/1/path"],
    ],
  );
});

plan("writes id maps only for a user namespace of its own", () => {
  const uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  const { namespaces } = linuxOf({ namespaces: [{ type: "user" }], uidMappings, gidMappings: uidMappings });
  assert.is(namespaces.uidMap, "0 100000 65536\n");
  assert.is(planOf(() => ({})).namespaces.uidMap, undefined);
});

plan("writes time offsets as the kernel reads them", () => {
  const { namespaces } = linuxOf({
    namespaces: [{ type: "time" }],
    timeOffsets: { monotonic: { secs: -5 }, boottime: { secs: 1, nanosecs: 2 } },
  });
  assert.is(namespaces.timeOffsets, "monotonic -5 0\nboottime 1 2\n");
});

const ROOTS: [name: string, namespaces: "mount"[], noPivot: boolean, change: Plan["rootfs"]["change"]][] = [
  ["pivots", ["mount"], false, "pivot"],
  ["moves with --no-pivot", ["mount"], true, "move"],
  ["only changes the root without a mount namespace", [], false, "chroot"],
];
for (const [name, types, noPivot, change] of ROOTS)
  plan(`the root ${name}`, () => {
    const found = planOf(() => ({ linux: { namespaces: types.map((type) => ({ type })) } }), { noPivot });
    assert.is(found.rootfs.change, change);
  });

plan("a relative root path begins at the bundle", () => {
  assert.is(planOf(() => ({ root: { path: "a/./b/" } })).rootfs.path, "/bundle/a/b");
  assert.is(planOf(() => ({ root: { path: "/x//y" } })).rootfs.path, "/x/y");
});

plan("a device of the config replaces the default one of the same path", () => {
  const { devices } = linuxOf({ devices: [{ path: "/dev/null", type: "c", major: 9, minor: 9, fileMode: 0o600 }] });
  const nulls = devices.filter(({ path }) => path === "/dev/null");
  assert.equal(
    nulls.map(({ major, mode, field }) => [major, mode, field]),
    [[9, 0o600, "/linux/devices/0"]],
  );
});

plan("leaves a /dev that is bound from the host alone", () => {
  assert.ok(planOf(() => ({})).fillDev);
  const mounts = [{ destination: "/dev", source: "/dev", type: "bind", options: ["rbind"] }];
  assert.not.ok(planOf(() => ({ mounts })).fillDev);
});

plan("the environment has each name once, with its last value, where it stood first", () => {
  assert.equal(processOf({ env: ["A=1", "B=2", "A=3"] })?.env, ["A=3", "B=2"]);
});

plan("LISTEN_FDS reaches the process, and its descriptors stay open", () => {
  const { process, preserveFds } = planOf(() => ({}), { listenFds: 2, preserveFds: 1 });
  assert.ok(process?.env.includes("LISTEN_FDS=2") && process.env.includes("LISTEN_PID=1"));
  assert.is(preserveFds, 3);
});

plan("capabilities are bits; unknown ones are a warning", () => {
  const found = planOf((config) => ({
    process: { cwd: "/", ...config.process, capabilities: { effective: ["CAP_CHOWN", "CAP_BPF", "CAP_NEW_THING"] } },
  }));
  assert.equal(found.process?.capabilities.effective, { low: 1, high: 1 << (39 - 32) });
  assert.equal(found.warnings, ["capability CAP_NEW_THING is unknown and was ignored"]);
});

plan("the umask is 022 when nobody asks for another", () => {
  assert.is(processOf({ user: { uid: 0, gid: 0 } })?.umask, 0o022);
  assert.is(processOf({ user: { uid: 0, gid: 0, umask: 0 } })?.umask, 0);
});

plan("names the field behind a sysctl with a slash as RFC 6901 wants it", () => {
  assert.is(linuxOf({ sysctl: { "net/a": "1" } }).sysctl[0]?.field, "/linux/sysctl/net~1a");
});

plan("is data: it survives JSON", () => {
  const made = planOf(() => ({}));
  const { cgroup, ...rest } = made;
  assert.equal(JSON.parse(JSON.stringify(rest)), rest);
  assert.equal(JSON.parse(JSON.stringify(cgroup.writes)), cgroup.writes);
});

const ALL = capabilitySet(CAPABILITY_NAMES, []);

plan("leaves out capabilities that the runtime does not have, and says so, but not in a user namespace", () => {
  const modules = { hasAppArmor: () => true, hasSelinux: () => true };
  const own = capabilitySet(["CAP_CHOWN", "CAP_KILL"], []);
  const wanted = ["CAP_CHOWN", "CAP_SYS_RESOURCE"];
  const capabilities = { bounding: wanted, permitted: wanted, effective: wanted, inheritable: wanted, ambient: wanted };
  const planned = (more: Partial<Linux>) =>
    planOf(
      (config) => ({ process: { cwd: "/", ...config.process, capabilities }, linux: { ...config.linux, ...more } }),
      { processHost: { modules, capabilities: own } },
    );
  const chown = capabilitySet(["CAP_CHOWN"], []);
  const asked = capabilitySet(wanted, []);
  const { process, warnings } = planned({});
  const left = { permitted: chown, effective: chown, inheritable: chown, ambient: chown };
  assert.equal(process?.capabilities, { bounding: asked, ...left });
  assert.equal(warnings, ["capabilities that the runtime does not have itself are left out: CAP_SYS_RESOURCE"]);
  const mapping = [{ containerID: 0, hostID: 100000, size: 1 }];
  const mapped = planned({
    namespaces: [{ type: "user" }, { type: "mount" }],
    uidMappings: mapping,
    gidMappings: mapping,
  });
  assert.equal(mapped.process?.capabilities.permitted, asked);
  assert.equal(mapped.warnings, []);
});

plan("leaves out labels for security modules that the kernel does not have, and says so", () => {
  const change = (config: Config): Partial<Config> => ({
    process: { cwd: "/", ...config.process, apparmorProfile: "web", selinuxLabel: "a:b:c:s0" },
    linux: { ...config.linux, mountLabel: "a:b:d:s0" },
  });
  const on = (hasAppArmor: boolean, hasSelinux: boolean) => {
    const modules = { hasAppArmor: () => hasAppArmor, hasSelinux: () => hasSelinux };
    const processHost = { modules, capabilities: ALL };
    const { process, mountLabel, warnings } = planOf(change, { processHost });
    return [process?.apparmorProfile, process?.selinuxLabel, mountLabel, warnings.join("; ")];
  };
  assert.equal(on(true, true), ["web", "a:b:c:s0", "a:b:d:s0", ""]);
  assert.equal(on(true, false), [
    "web",
    undefined,
    undefined,
    "process.selinuxLabel is ignored: this kernel has no SELinux; linux.mountLabel is ignored: this kernel has no SELinux",
  ]);
  assert.equal(on(false, true), [
    undefined,
    "a:b:c:s0",
    "a:b:d:s0",
    "process.apparmorProfile is ignored: this kernel has no AppArmor",
  ]);
});

plan.run();
