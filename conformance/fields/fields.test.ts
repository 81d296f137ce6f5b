/**
 * One container without a field of config.json and one with it: what it shows must differ, and be what the specification says. So no field of
 * the table can be ignored unnoticed. README.md beside this file has those that need more than one line of shell, with their tests.
 */
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { getPriority } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, type Need, need, needs, root } from "../testing.ts";

const fields = suite("fields");

interface Field {
  /** As in config.json. */
  readonly name: string;
  readonly set: (spec: Spec, fixture: Fixture) => void;
  /** Shell line that shows it; what it writes to stderr does not count. */
  readonly script: string;
  readonly shown: string | RegExp;
  readonly needs?: Need;
}

/** Shell: one line of /proc/self/status. */
const status = (key: string) => `awk '/^${key}:/ { print $2 }' /proc/self/status`;
/** Shell: the options of the mount there, and those of its filesystem. */
const mountOf = (target: string) => `awk '$5 == "${target}" { print $6, $NF }' /proc/self/mountinfo`;

/** A field of `process`. */
function ofProcess(name: string, value: unknown, script: string, shown: string | RegExp): Field {
  const set = (spec: Spec) => Object.assign(spec.process, { [name]: value });
  return { name: `process.${name}`, set, script, shown };
}
/** A field of `linux`. */
function ofLinux(name: string, value: unknown, script: string, shown: string | RegExp, needed?: Need): Field {
  const set = (spec: Spec) => Object.assign(spec.linux, { [name]: value });
  return { name: `linux.${name}`, set, script, shown, ...(needed === undefined ? {} : { needs: needed }) };
}
function ofUser(name: string, value: unknown, script: string, shown: string): Field {
  const set = (spec: Spec) => Object.assign(spec.process.user as object, { [name]: value });
  return { name: `process.user.${name}`, set, script, shown };
}
/** An option of a tmpfs. */
function ofMount(option: string, shown: RegExp): Field {
  const set = (spec: Spec) => spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "x", options: [option] });
  return { name: `mounts[].options ${option}`, set, script: mountOf("/tmp"), shown };
}
/** An option that holds for a bind mount and all below it. */
function recursive(option: string, shown: RegExp): Field {
  const set = (spec: Spec) =>
    spec.mounts.push({ destination: "/tmp", type: "bind", source: "/dev", options: ["rbind", option] });
  return { name: `mounts[].options ${option}`, set, script: mountOf("/tmp/shm"), shown };
}
/** Capability sets: one bit more than `reg spec` has. */
function ofCapabilities(set: string, key: string): Field {
  return {
    name: `process.capabilities.${set}`,
    set: (spec) => {
      const sets = spec.process.capabilities as Record<string, string[] | undefined>;
      // A capability can be ambient only if it is permitted and inheritable; effective only if it is permitted.
      const more = {
        ambient: ["ambient", "inheritable", "permitted", "bounding"],
        effective: ["effective", "permitted", "bounding"],
        permitted: ["permitted", "bounding"],
        inheritable: ["inheritable", "bounding"],
      }[set] ?? [set];
      for (const name of more) sets[name] = [...(sets[name] ?? []), "CAP_CHOWN"];
    },
    script: status(key),
    shown: /[13579bdf]$/,
  };
}

/** What the kernel says about the policy of scheduling: field 41 of stat(5), and its priority in field 40. */
const SCHEDULER = "awk '{ print $41, $40, $19 }' /proc/self/stat";
const time = need("time namespaces", existsSync("/proc/self/ns/time"));

// biome-ignore format: one field, one line
const FIELDS: readonly Field[] = [
  { name: "root.readonly", set: (spec) => { spec.root.readonly = false; }, script: "touch /x && echo written", shown: "written" },
  { name: "root.path, absolute", set: (spec, fixture) => { const other = fixture.sleeper(); mkdirSync(`${other.rootfs}/elsewhere`); spec.root.path = other.rootfs; }, script: "ls -d /elsewhere; true", shown: "/elsewhere" },
  { name: "hostname", set: (spec) => { spec.hostname = "web1"; }, script: "hostname", shown: "web1" },
  { name: "domainname", set: (spec) => { spec.domainname = "example.org"; }, script: "cat /proc/sys/kernel/domainname", shown: "example.org" },
  { name: "mounts[].destination, relative", set: (spec) => spec.mounts.push({ destination: "tmp", type: "tmpfs", source: "x" }), script: mountOf("/tmp"), shown: /rw/ },
  ofMount("ro", /^ro,/), ofMount("nosuid", /nosuid/), ofMount("nodev", /nodev/), ofMount("noexec", /noexec/), ofMount("noatime", /noatime/),
  ofMount("nodiratime", /nodiratime/), ofMount("sync", /sync/), ofMount("dirsync", /dirsync/), ofMount("nosymfollow", /nosymfollow/),
  ofMount("size=64k", /size=64k/), ofMount("mode=700", /mode=700/),
  recursive("rro", /^ro,/), recursive("rnosuid", /nosuid/), recursive("rnodev", /nodev/), recursive("rnoexec", /noexec/), recursive("rnoatime", /noatime/), recursive("rnodiratime", /nodiratime/), recursive("rnosymfollow", /nosymfollow/),
  { name: "mounts[].type tmpfs with tmpcopyup", set: (spec) => spec.mounts.push({ destination: "/etc", type: "tmpfs", source: "x", options: ["tmpcopyup", "mode=751"] }), script: mountOf("/etc"), shown: /tmpcopyup|mode=751/ },
  { name: "mounts[].type cgroup", set: (spec) => { for (const mount of spec.mounts) if (mount.type === "cgroup") mount.destination = "/tmp"; }, script: "ls /tmp | grep -cE '^(cgroup.procs|memory)$'", shown: /^[12]$/ },
  ofUser("uid", 1000, "id -u", "1000"), ofUser("gid", 1000, "id -g", "1000"), ofUser("umask", 0o077, "umask", "0077"), ofUser("additionalGids", [7, 8], "id -G", "0 7 8"),
  ofProcess("cwd", "/made/here", "pwd", "/made/here"),
  { name: "process.env", set: (spec) => spec.process.env.push("NAME=value"), script: "echo $NAME", shown: "value" },
  ofCapabilities("bounding", "CapBnd"), ofCapabilities("effective", "CapEff"), ofCapabilities("permitted", "CapPrm"), ofCapabilities("inheritable", "CapInh"), ofCapabilities("ambient", "CapAmb"),
  ofProcess("rlimits", [{ type: "RLIMIT_NOFILE", soft: 64, hard: 100 }], "ulimit -Sn; ulimit -Hn", "64\n100"),
  ofProcess("noNewPrivileges", false, status("NoNewPrivs"), "0"),
  ofProcess("oomScoreAdj", 321, "cat /proc/self/oom_score_adj", "321"),
  ofProcess("scheduler", { policy: "SCHED_BATCH", nice: 5 }, SCHEDULER, "3 0 5"),
  ofProcess("scheduler", { policy: "SCHED_IDLE" }, SCHEDULER, `5 0 ${getPriority()}`), // the nice value, which it has no use for, stays
  ofProcess("ioPriority", { class: "IOPRIO_CLASS_BE", priority: 6 }, "ionice -p $$", "best-effort: prio 6"),
  ofLinux("sysctl", { "kernel.msgmax": "9000" }, "cat /proc/sys/kernel/msgmax", "9000"),
  ofLinux("sysctl", { "net/ipv4/ip_default_ttl": "33" }, "cat /proc/sys/net/ipv4/ip_default_ttl", "33"),
  ofLinux("devices", [{ type: "c", path: "/dev/made", major: 1, minor: 3, fileMode: 0o640, uid: 5, gid: 6 }], "stat -c '%F %t %T %a %u %g' /dev/made; true", "character special file 1 3 640 5 6"),
  ofLinux("maskedPaths", ["/etc"], mountOf("/etc"), /ro/),
  ofLinux("readonlyPaths", ["/tmp"], mountOf("/tmp"), /^ro/),
  ofLinux("personality", { domain: "LINUX32" }, "uname -m", /^(i[3-6]86|armv8l)$/),
  { name: "linux.namespaces uts", set: (spec) => { spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "uts"); delete spec.hostname; }, script: "hostname | grep -vx reg", shown: /./ },
  { name: "linux.namespaces user, uidMappings, gidMappings", set: (spec) => { spec.linux.namespaces.push({ type: "user" }); spec.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 1000 }]; spec.linux.gidMappings = [{ containerID: 0, hostID: 200000, size: 500 }]; }, script: "cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '", shown: "0 100000 1000\n 0 200000 500" },
  { name: "linux.timeOffsets", set: (spec) => { spec.linux.namespaces.push({ type: "time" }); spec.linux.timeOffsets = { monotonic: { secs: 1234 }, boottime: { secs: 4321, nanosecs: 5 } }; }, script: "tr -s ' ' </proc/self/timens_offsets", shown: "monotonic 1234 0\nboottime 4321 5", needs: time },
];

for (const { name, set, script, shown, needs: needed } of FIELDS)
  needs(
    fields,
    root,
    mounting,
    cgroups,
    ...(needed === undefined ? [] : [needed]),
  )(`${name}: ${typeof shown === "string" ? shown.replaceAll("\n", ", ") : shown}`, () =>
    withFixture((fixture) => {
      const outputOf = (change: (spec: Spec) => void) => {
        const bundle = fixture.shell(script, change);
        symlinkSync("busybox", `${bundle.rootfs}/bin/ionice`);
        return fixture.reg("run", "--bundle", bundle.path, fixture.id());
      };
      const matches = (text: string) => (typeof shown === "string" ? text === shown : shown.test(text));
      const without = outputOf(() => undefined);
      assert.not.ok(matches(without.stdout.trim()), `without the field: ${without.stdout}`);
      const { status: ended, stdout, stderr } = outputOf((spec) => set(spec, fixture));
      assert.ok(ended === 0 && matches(stdout.trim()), `status ${ended}: ${stdout}${stderr}`);
    }),
  );

fields.run();
