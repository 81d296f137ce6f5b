/** Groups of the resctrl filesystem: parts of the caches and of the memory bandwidth. Source: kernel resctrl.rst. */
import { ENOENT } from "../errors/errno.ts";
import { at, RegError, SyscallError } from "../errors/errors.ts";
import { isErrno, mkdirIfMissing, readText, rmdir, writeText } from "../libc/file.ts";

/** What a group is to be; the plan's IntelRdtPlan is one. */
export interface ResctrlRequest {
  readonly group: string;
  readonly shared: boolean;
  readonly schemata: readonly { readonly lines: string; readonly field: string }[];
  readonly monitor?: string;
}

/** Directories of a container, kept in its state. */
export interface ResctrlState {
  /** Those whose tasks its processes are; the monitoring group after the group it belongs to. */
  readonly join: readonly string[];
  /** Those that go when the container goes; inner ones first. */
  readonly remove: readonly string[];
}

const FIELD = "/linux/intelRdt";

/** Where resctrl is mounted. Throws RegError when it is not. */
export function findResctrl(mountinfo = readText("/proc/self/mountinfo")): string {
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    if (after.startsWith("resctrl ")) return before.split(" ")[4] ?? "";
  }
  throw new RegError("ENOTSUP", "the resctrl filesystem is not mounted", {
    field: FIELD,
    hint: "mount -t resctrl resctrl /sys/fs/resctrl; the processor and the kernel must support it",
  });
}

/** The directories that a request is about. Makes nothing. */
export function resctrlPaths(root: string, { group, shared, monitor }: ResctrlRequest): ResctrlState {
  const directory = `${root}/${group}`;
  const monitoring = monitor === undefined ? [] : [`${directory}/mon_groups/${monitor}`];
  return { join: [directory, ...monitoring], remove: shared ? monitoring : [...monitoring, directory] };
}

/** Makes the groups and writes their schemata. */
export function makeResctrl({ join: [directory = "", monitoring] }: ResctrlState, request: ResctrlRequest): void {
  const { shared, schemata, group } = request;
  if (shared && schemata.length === 0) mustExist(directory, group);
  else at(FIELD, () => mkdirIfMissing(directory, 0o755));
  for (const { lines, field } of schemata) at(field, () => writeTo(directory, lines));
  if (monitoring !== undefined) at(`${FIELD}/enableMonitoring`, () => mkdirIfMissing(monitoring, 0o755));
}

function mustExist(directory: string, group: string): void {
  try {
    readText(`${directory}/tasks`);
  } catch (error) {
    if (!isErrno(error, ENOENT)) throw error;
    throw new RegError("ENOENT", `resctrl group ${group} does not exist: ${directory}`, {
      field: `${FIELD}/closID`,
      hint: "make it, or give a schema for it",
    });
  }
}

/** The kernel says in a file of its own what it does not like in a schema. */
function writeTo(directory: string, lines: string): void {
  try {
    writeText(`${directory}/schemata`, lines);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new SyscallError(error.syscall, `${directory}/schemata ${JSON.stringify(lines)}`, error.errno, {
      hint: "the kernel's reason is in info/last_cmd_status of the resctrl filesystem",
    });
  }
}

/** Changes the schemata of a container that has a group. */
export function writeSchemata(state: ResctrlState | undefined, lines: string): void {
  const [directory] = state?.join ?? [];
  if (directory === undefined)
    throw new RegError("EINVAL", "the container is in no resctrl group: its config.json has no linux.intelRdt");
  writeTo(directory, `${lines}\n`);
}

/** Puts a process into the groups; its children will be born there. */
export function joinResctrl({ join }: ResctrlState, pid: number): void {
  for (const directory of join) at(FIELD, () => writeText(`${directory}/tasks`, String(pid)));
}

/** Removes what is the container's own; what is gone already is fine. */
export function removeResctrl({ remove }: ResctrlState): void {
  for (const directory of remove) rmdir(directory);
}
