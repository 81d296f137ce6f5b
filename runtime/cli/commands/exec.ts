import { type ExecOptions, exec } from "../../container/exec.ts";
import { UsageError } from "../../errors/errors.ts";
import { readText } from "../../libc/file.ts";
import { shellStatus } from "../../libc/process.ts";
import type { Capabilities, Process, User } from "../../oci/config.ts";
import { parseProcess } from "../../oci/parse.ts";
import { defineCommand, type OptionTable, type Values } from "../command.ts";
import { listenFds, preserved } from "./create-options.ts";

const OPTIONS = {
  process: { type: "string", alias: "p", placeholder: "FILE", describe: "read the process from FILE, as JSON" },
  tty: { type: "boolean", alias: "t", describe: "give the process a terminal" },
  detach: { type: "boolean", alias: "d", describe: "return as soon as the process has started" },
  "console-socket": {
    type: "string",
    placeholder: "SOCKET",
    describe: "unix socket that gets the master of the process's terminal",
  },
  "pidfd-socket": { type: "string", placeholder: "SOCKET", describe: "unix socket that gets a pidfd of the process" },
  "pid-file": { type: "string", placeholder: "FILE", describe: "write the process id to FILE" },
  cwd: { type: "string", placeholder: "DIR", describe: "working directory in the container" },
  env: { type: "strings", alias: "e", placeholder: "NAME=VALUE", describe: "set an environment variable" },
  user: { type: "string", alias: "u", placeholder: "UID[:GID]", describe: "user and group, as numbers" },
  "additional-gids": {
    type: "strings",
    alias: "g",
    placeholder: "GID",
    describe: "one more supplementary group",
  },
  cap: { type: "strings", alias: "c", placeholder: "CAP", describe: "one more capability" },
  "no-new-privs": { type: "boolean", describe: "the process cannot gain privileges by execve" },
  "preserve-fds": {
    type: "number",
    placeholder: "N",
    describe: "pass N more file descriptors to the process, from 3 on",
  },
  cgroup: {
    type: "strings",
    placeholder: "[CONTROLLERS:]PATH",
    describe: "run in a cgroup below the container's",
  },
  "ignore-paused": { type: "boolean", describe: "also in a paused container" },
  "process-label": { type: "string", placeholder: "LABEL", describe: "SELinux label of the process" },
  apparmor: { type: "string", placeholder: "PROFILE", describe: "AppArmor profile of the process" },
  "no-subreaper": { type: "boolean", hidden: true, describe: "accepted for old callers" },
} as const satisfies OptionTable;

type ExecValues = Values<typeof OPTIONS>;

export const command = defineCommand({
  name: "exec",
  describe: "run a process in a running container",
  positionals: [
    { name: "id", describe: "the container" },
    { name: "command", describe: "program and arguments", optional: true, rest: true },
  ],
  options: OPTIONS,
  optionsFirst: true,
  failureStatus: 255,
  preserved,
  run: (values, [id = "", ...args], { root, warn }) => {
    const cgroup = parseCgroup(values.cgroup ?? []);
    const optional = {
      pidFile: values["pid-file"],
      consoleSocket: values["console-socket"],
      pidfdSocket: values["pidfd-socket"],
      cgroup,
    };
    for (const name of Object.keys(optional) as (keyof typeof optional)[])
      if (optional[name] === undefined) delete optional[name];
    const preserveFds = values["preserve-fds"] ?? 0;
    const status = exec({
      root,
      id,
      process: processOf(values, args),
      detach: values.detach ?? false,
      ...(optional as Pick<ExecOptions, "pidFile" | "consoleSocket" | "pidfdSocket" | "cgroup">),
      preserveFds,
      listenFds: listenFds(),
      ignorePaused: values["ignore-paused"] ?? false,
      warn,
    });
    return status === undefined ? 0 : shellStatus(status);
  },
});

/** Checks what can be checked without the container, and returns what makes the process from the container's own. */
function processOf(values: ExecValues, args: readonly string[]): (own: Process) => Process {
  if (values.process !== undefined) {
    const process = parseProcess(readText(values.process), values.process);
    return () => process;
  }
  if (args.length === 0)
    throw new UsageError("missing argument: command", { hint: "reg exec ID PROGRAM ARGUMENTS, or --process FILE" });
  const { cwd, env = [], cap = [] } = values;
  if (cwd !== undefined && !cwd.startsWith("/")) throw new UsageError(`--cwd ${cwd}: expected an absolute path`);
  for (const entry of env) if (entry.indexOf("=") < 1) throw new UsageError(`--env ${entry}: expected NAME=VALUE`);
  const user = values.user === undefined ? {} : parseUser(values.user);
  const groups = (values["additional-gids"] ?? []).flatMap((text) => text.split(",")).map(parseGroup);
  const labels = {
    ...(cwd === undefined ? {} : { cwd }),
    ...(values["no-new-privs"] === undefined ? {} : { noNewPrivileges: values["no-new-privs"] }),
    ...(values["process-label"] === undefined ? {} : { selinuxLabel: values["process-label"] }),
    ...(values.apparmor === undefined ? {} : { apparmorProfile: values.apparmor }),
  };
  return (own) => ({
    ...own,
    ...labels,
    args,
    env: [...(own.env ?? []), ...env],
    user: { uid: 0, gid: 0, ...own.user, ...user, additionalGids: [...(own.user?.additionalGids ?? []), ...groups] },
    terminal: values.tty ?? false,
    ...(cap.length === 0 ? {} : { capabilities: withCapabilities(own.capabilities ?? {}, cap) }),
  });
}

/** The largest id; 2^32 - 1 means "leave it as it is" to the kernel. */
const MAX_ID = 0xffff_fffe;

function parseId(text: string): number | undefined {
  const id = Number(text);
  return /^\d{1,10}$/.test(text) && id <= MAX_ID ? id : undefined;
}

/** Strictly two numbers: what is not understood must not become root (CVE-2026-30892). */
function parseUser(text: string): User {
  const [uid, gid, ...more] = text.split(":").map(parseId);
  if (uid === undefined || more.length > 0 || (text.includes(":") && gid === undefined))
    throw new UsageError(`--user ${text}: expected UID or UID:GID, as numbers`);
  return gid === undefined ? { uid } : { uid, gid };
}

function parseGroup(text: string): number {
  const gid = parseId(text);
  if (gid === undefined) throw new UsageError(`--additional-gids ${text}: expected a number`);
  return gid;
}

/** As in runc: the ambient set grows only where the container has inheritable capabilities at all. */
function withCapabilities(sets: Capabilities, more: readonly string[]): Capabilities {
  const add = (names: readonly string[] | undefined) => [...(names ?? []), ...more];
  return {
    ...sets,
    bounding: add(sets.bounding),
    effective: add(sets.effective),
    permitted: add(sets.permitted),
    ...((sets.inheritable ?? []).length === 0
      ? {}
      : { inheritable: add(sets.inheritable), ambient: add(sets.ambient) }),
  };
}

/** `PATH`, or `CONTROLLER[,CONTROLLER]:PATH` once for each controller. */
function parseCgroup(given: readonly string[]): ExecOptions["cgroup"] {
  const [first] = given;
  if (first === undefined) return undefined;
  if (given.length === 1 && !first.includes(":")) return first;
  const paths: Record<string, string> = {};
  for (const entry of given) {
    const colon = entry.indexOf(":");
    if (colon < 1) throw new UsageError(`--cgroup ${entry}: expected CONTROLLER:PATH, or one path alone`);
    for (const controller of entry.slice(0, colon).split(",")) {
      if (controller === "" || Object.hasOwn(paths, controller))
        throw new UsageError(`--cgroup ${entry}: controller ${controller || '""'} is empty or was given before`);
      paths[controller] = entry.slice(colon + 1);
    }
  }
  return paths;
}
