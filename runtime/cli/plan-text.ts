/** A plan in words: what will be done, in the order of execution, and the field of config.json that asks for it. */

import { printable } from "../errors/printable.ts";
import * as C from "../libc/constants.ts";
import { CAPABILITY_NAMES, type CapabilitySet, hasCapability } from "../linux/capability.ts";
import type { Hooks } from "../oci/config.ts";
import type { CgroupPlan, FileWrite } from "../oci/plan/cgroup/plan.ts";
import { DEVICE_LINKS, type DevicePlan } from "../oci/plan/devices.ts";
import { knownMountOptions, type MountOptions, parseMountOptions, propagationFlag } from "../oci/plan/mount-options.ts";
import type { MountPlan } from "../oci/plan/mounts.ts";
import { NAMESPACE_FLAGS } from "../oci/plan/namespaces.ts";
import type { Plan, RootLayers } from "../oci/plan/plan.ts";
import type { CapabilityPlan, ProcessPlan } from "../oci/plan/process.ts";
import type { SeccompPlan } from "../oci/plan/seccomp.ts";

/** One thing that will be done. */
export interface PlanStep {
  readonly what: string;
  /** JSON pointer into config.json; absent for what no field asks for. */
  readonly field?: string;
}

/** Steps that belong together. */
export interface PlanStage {
  readonly stage: string;
  readonly steps: readonly PlanStep[];
}

/** The stages of `create`, `start` and `delete`; those in which nothing happens are left out. */
export function describePlan(plan: Plan): PlanStage[] {
  const { cgroup, hooks, process } = plan;
  const stages: PlanStage[] = [
    { stage: `cgroup (version ${cgroup.version}, ${cgroup.driver})`, steps: cgroupSteps(cgroup) },
    { stage: "caches and memory bandwidth", steps: resctrlSteps(plan) },
    { stage: "namespaces", steps: namespaceSteps(plan) },
    { stage: "identity", steps: identitySteps(plan) },
    { stage: "mounts", steps: plan.mounts.map(mountStep) },
    { stage: "devices", steps: plan.fillDev ? deviceSteps(plan.devices) : [] },
    { stage: "limits of the cgroup", steps: cgroup.writes.map((write) => writeStep(write, cgroup.version)) },
    { stage: "hooks", steps: hookSteps(hooks, "prestart", "createRuntime", "createContainer") },
    { stage: "paths and parameters", steps: pathSteps(plan) },
    { stage: "root filesystem", steps: rootSteps(plan) },
    { stage: "process", steps: process === undefined ? [] : processSteps(plan, process) },
    { stage: "start", steps: startSteps(plan) },
    { stage: "delete", steps: hookSteps(hooks, "poststop") },
  ];
  return stages.filter(({ steps }) => steps.length > 0);
}

/** The stages as text: numbered, with the fields in a column of their own. */
export function formatPlan({ id, bundle }: Plan, stages: readonly PlanStage[]): string {
  const lines = [printable(`plan for container ${id}, bundle ${bundle}`)];
  stages.forEach(({ stage, steps }, index) => {
    lines.push("", `${index + 1}. ${stage}`);
    const texts = steps.map(({ what }) => printable(what));
    const longest = texts.reduce((most, text) => Math.max(most, text.length), 0);
    const width = Math.min(COLUMN, longest);
    steps.forEach(({ field }, at) => {
      const text = texts[at] ?? "";
      lines.push(field === undefined ? `   ${text}` : `   ${text.padEnd(width)}  ${printable(field)}`);
    });
  });
  return `${lines.join("\n")}\n`;
}

/** Where the column of fields begins at most; longer lines push their own field on. */
const COLUMN = 76;

function cgroupSteps({ driver, paths, early, unit, optional, version }: CgroupPlan): PlanStep[] {
  if (driver === "disabled") return [];
  const field = "/linux/cgroupsPath";
  const note = optional ? " (without it, if that is not permitted)" : "";
  return [
    ...(unit === undefined ? [] : [{ what: `start systemd unit ${unit.name} in ${unit.slice}`, field }]),
    ...Object.values(paths).map((path) => ({ what: `make and join ${path}${note}`, field })),
    ...early.map((write) => writeStep(write, version)),
  ];
}

function resctrlSteps({ intelRdt }: Plan): PlanStep[] {
  if (intelRdt === undefined) return [];
  const { group, schemata, monitor } = intelRdt;
  return [
    { what: `join the resctrl group ${group}`, field: "/linux/intelRdt/closID" },
    ...schemata.map(({ lines, field }) => ({ what: `schemata = ${lines.trim().replaceAll("\n", "; ")}`, field })),
    ...(monitor === undefined
      ? []
      : [{ what: `join its monitoring group ${monitor}`, field: "/linux/intelRdt/enableMonitoring" }]),
  ];
}

function writeStep({ controller, file, value, field }: FileWrite, version: 1 | 2): PlanStep {
  return { what: `${version === 1 ? `${controller}: ` : ""}${file} = ${value}`, field };
}

function namespaceSteps({ namespaces, netDevices: devices }: Plan): PlanStep[] {
  const { create, join, uidMap, gidMap, timeOffsets } = namespaces;
  const created = Object.entries(NAMESPACE_FLAGS).flatMap(([type, flag]) => ((create & flag) === 0 ? [] : [type]));
  const field = "/linux/namespaces";
  return [
    ...join.map(({ type, path, field }) => ({ what: `join the ${type} namespace ${path}`, field })),
    ...created.map((type) => ({ what: `new ${type} namespace`, field })),
    ...(devices ?? []).map(({ from, to, field }) => ({
      what: `network device ${from} moves in${from === to ? "" : ` as ${to}`}`,
      field,
    })),
    ...mapSteps("uid", uidMap, "/linux/uidMappings"),
    ...mapSteps("gid", gidMap, "/linux/gidMappings"),
    ...(timeOffsets ?? "")
      .split("\n")
      .filter(Boolean)
      .map((line) => ({ what: `time offset ${line}`, field: "/linux/timeOffsets" })),
  ];
}

function mapSteps(kind: string, map: string | undefined, field: string): PlanStep[] {
  return (map ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line, index) => {
      const [inside = "", outside = "", size = ""] = line.split(" ");
      return { what: `${kind} ${inside} inside is ${outside} outside, ${size} in all`, field: `${field}/${index}` };
    });
}

function identitySteps({ newKeyring, id, hostname, domainname }: Plan): PlanStep[] {
  return [
    ...(newKeyring ? [{ what: `new session keyring _ses.${id}` }] : []),
    ...(hostname === undefined ? [] : [{ what: `hostname ${hostname}`, field: "/hostname" }]),
    ...(domainname === undefined ? [] : [{ what: `domainname ${domainname}`, field: "/domainname" }]),
  ];
}

function mountStep(mount: MountPlan): PlanStep {
  const { destination, field, options } = mount;
  const said = [...optionNames(options), ...(options.data === "" ? [] : [options.data])].join(",");
  const tail = `on ${destination}${said === "" ? "" : ` (${said})`}`;
  if (mount.kind === "cgroup") return { what: `the container's cgroup ${tail}`, field };
  if (mount.kind === "bind") {
    const mapped = mount.idMap === undefined ? "" : ", ids mapped";
    return { what: `${mount.source} ${tail}${mapped}`, field };
  }
  const source = mount.source === mount.type ? "" : ` ${mount.source}`;
  return { what: `${mount.type}${source} ${tail}`, field };
}

/** Options that mean the same are shown as the last of their names: relatime, not atime. */
const OPTION_NAMES = knownMountOptions().reverse();

/** The names of what a mount's flags and attributes are. */
function optionNames(planned: MountOptions): string[] {
  const names: string[] = [];
  if (planned.bind) names.push(planned.recursiveBind ? "rbind" : "bind");
  let flags = planned.flags;
  let recursive = planned.recursiveSet | planned.recursiveClear;
  for (const name of OPTION_NAMES) {
    const option = parseMountOptions([name]);
    if (option.flags !== 0 && (flags & option.flags) === option.flags) {
      names.push(name);
      flags &= ~option.flags;
    }
    const touched = option.recursiveSet | option.recursiveClear;
    const agrees =
      (planned.recursiveSet & touched) === option.recursiveSet &&
      (planned.recursiveClear & option.recursiveClear) === option.recursiveClear;
    if (touched !== 0 && (recursive & touched) !== 0 && agrees) {
      names.push(name);
      recursive &= ~touched;
    }
  }
  names.push(...planned.propagation.map(propagationName));
  if (planned.tmpCopyUp) names.push("tmpcopyup");
  if (planned.idmap !== undefined) names.push(planned.idmap);
  return names;
}

function propagationName(flag: number): string {
  return OPTION_NAMES.find((name) => propagationFlag(name) === flag) ?? String(flag);
}

const DEVICE_LETTERS: Readonly<Record<number, string>> = { [C.S_IFCHR]: "c", [C.S_IFBLK]: "b", [C.S_IFIFO]: "p" };

function deviceSteps(devices: readonly DevicePlan[]): PlanStep[] {
  const nodes = devices.map(({ path, type, major, minor, mode, uid, gid, field }) => {
    const numbers = type === C.S_IFIFO ? "" : ` ${major}:${minor}`;
    const owner = uid === 0 && gid === 0 ? "" : `, owner ${uid}:${gid}`;
    const step = { what: `${path} ${DEVICE_LETTERS[type] ?? "?"}${numbers}, mode ${octal(mode)}${owner}` };
    return field === "/linux/devices" ? step : { ...step, field }; // the others are what every container has
  });
  return [...nodes, ...DEVICE_LINKS.map(([path, target]) => ({ what: `${path} links to ${target}` }))];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function hookSteps(hooks: Hooks, ...names: (keyof Hooks)[]): PlanStep[] {
  return names.flatMap((name) =>
    (hooks[name] ?? []).map(({ path, args, timeout }, index) => {
      const line = args === undefined || args.length < 2 ? path : `${path} ${args.slice(1).join(" ")}`;
      return {
        what: `${name}: ${line}${timeout === undefined ? "" : `, at most ${timeout} s`}`,
        field: `/hooks/${name}/${index}`,
      };
    }),
  );
}

function pathSteps({ readonlyPaths, maskedPaths, sysctl }: Plan): PlanStep[] {
  return [
    ...readonlyPaths.map(({ path, field }) => ({ what: `read-only: ${path}`, field })),
    ...maskedPaths.map(({ path, field }) => ({ what: `hidden: ${path}`, field })),
    ...sysctl.map(({ file, value, field }) => ({ what: `/proc/sys/${file} = ${value}`, field })),
  ];
}

const ROOT_CHANGES = { pivot: "pivot_root(2)", move: "MS_MOVE and chroot(2)", chroot: "chroot(2)" } as const;

function rootSteps({ rootfs }: Plan): PlanStep[] {
  const { layers } = rootfs;
  const what = `${rootfs.path}${layers === undefined ? "" : layersText(layers)} becomes / by ${ROOT_CHANGES[rootfs.change]}`;
  return [
    { what, field: layers?.field ?? "/root/path" },
    ...(rootfs.readonly
      ? [
          {
            what: "/ becomes read-only",
            field: layers?.upper === undefined ? (layers?.field ?? "/root/readonly") : "/root/readonly",
          },
        ]
      : []),
    ...(rootfs.propagation === undefined
      ? []
      : [{ what: `/ becomes ${propagationName(rootfs.propagation)}`, field: "/linux/rootfsPropagation" }]),
  ];
}

function layersText({ upper, idMap }: RootLayers): string {
  const writes =
    upper === undefined
      ? ""
      : upper.type === "tmpfs"
        ? ` under a tmpfs${upper.size === undefined ? "" : ` of ${upper.size}`}`
        : ` under ${upper.path}`;
  return `${writes}${idMap === undefined ? "" : ", ids mapped"}`;
}

function processSteps({ personality, memoryPolicy, preserveFds, seccomp }: Plan, process: ProcessPlan): PlanStep[] {
  const { uid, gid, groups, umask, rlimits, scheduler, ioPriority, apparmorProfile, selinuxLabel } = process;
  const step = (what: string, name: string): PlanStep => ({ what, field: `/process/${name}` });
  const when = (present: unknown, what: string, name: string): PlanStep[] =>
    present === undefined || present === false ? [] : [step(what, name)];
  return [
    ...rlimits.map(({ name, soft, hard, field }) => ({
      what: `${name} ${limit(soft)}, at most ${limit(hard)}`,
      field,
    })),
    ...when(process.oomScoreAdj, `oom_score_adj ${process.oomScoreAdj}`, "oomScoreAdj"),
    ...when(process.terminal, "new terminal on /dev/console", "terminal"),
    ...when(apparmorProfile, `AppArmor profile ${apparmorProfile}`, "apparmorProfile"),
    ...when(process.noNewPrivileges, "no new privileges", "noNewPrivileges"),
    ...when(scheduler, `scheduler ${scheduler?.policy}`, "scheduler"),
    ...when(ioPriority, `I/O priority ${ioPriority?.class} ${ioPriority?.priority ?? 0}`, "ioPriority"),
    ...(personality === undefined
      ? []
      : [{ what: `personality ${personality.domain}`, field: "/linux/personality/domain" }]),
    ...(memoryPolicy === undefined
      ? []
      : [
          {
            what: `memory policy ${memoryPolicy.mode}${memoryPolicy.nodes ? ` of nodes ${memoryPolicy.nodes}` : ""}`,
            field: "/linux/memoryPolicy",
          },
        ]),
    ...seccompSteps(seccomp),
    ...when(selinuxLabel, `SELinux label ${selinuxLabel}`, "selinuxLabel"),
    step(`user ${uid}, group ${gid}${groupsText(groups)}`, "user"),
    step(`umask ${octal(umask)}`, "user/umask"),
    ...capabilitySteps(process.capabilities),
    step(`working directory ${process.cwd}`, "cwd"),
    ...process.env.map((entry) => step(entry, "env")),
    ...(preserveFds === 0 ? [] : [{ what: `descriptors 3 to ${2 + preserveFds} stay open` }]),
  ];
}

function seccompSteps(seccomp: SeccompPlan | undefined): PlanStep[] {
  if (seccomp === undefined) return [];
  const { defaultAction = "", syscalls = [] } = seccomp.profile;
  const names = syscalls.reduce((sum, rule) => sum + rule.names.length, 0);
  const what = `system call filter: ${defaultAction.replace("SCMP_ACT_", "").toLowerCase()}, and rules for ${names} names`;
  return [{ what, field: "/linux/seccomp" }];
}

/** RLIM_INFINITY is 2^64 - 1, which a double rounds. */
function limit(value: number): string {
  return value >= 2 ** 63 ? "unlimited" : String(value);
}

/** Sets that are equal share a line. */
function capabilitySteps(sets: CapabilityPlan): PlanStep[] {
  const kinds = ["bounding", "effective", "permitted", "inheritable", "ambient"] as const;
  const byNames = new Map<string, string[]>();
  for (const kind of kinds) {
    const names = capabilityNames(sets[kind]);
    byNames.set(names, [...(byNames.get(names) ?? []), kind]);
  }
  return [...byNames].map(([names, of]) => ({
    what: `capabilities ${of.join(", ")}: ${names}`,
    field: `/process/capabilities${of.length === 1 ? `/${of[0]}` : ""}`,
  }));
}

function capabilityNames(set: CapabilitySet): string {
  const names = CAPABILITY_NAMES.filter((_, number) => hasCapability(set, number));
  if (names.length === 0) return "none";
  return names.length === CAPABILITY_NAMES.length ? "all" : names.map((name) => name.replace("CAP_", "")).join(" ");
}

function startSteps({ hooks, process }: Plan): PlanStep[] {
  if (process === undefined) return [{ what: "nothing to run: the container cannot be started", field: "/process" }];
  const words = process.args.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : JSON.stringify(word)));
  return [
    ...hookSteps(hooks, "startContainer"),
    { what: `run ${words.join(" ")}`, field: "/process/args" },
    ...hookSteps(hooks, "poststart"),
  ];
}

function groupsText(groups: readonly number[] | undefined): string {
  if (groups === undefined) return ", and the caller's supplementary groups";
  return groups.length === 0 ? "" : `, groups ${groups.join(" ")}`;
}
