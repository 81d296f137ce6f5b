/** `reg ps`: the processes of a container, as the host sees them. */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, readAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { shellStatus, spawn, waitFor } from "../libc/process.ts";
import { Container } from "./container.ts";
import { requireCgroup } from "./pause.ts";

/** Process ids in the container's cgroup, ascending; none when it has stopped. */
export function processIds(root: string, id: string): number[] {
  const container = Container.open(root, id);
  try {
    requireCgroup(container);
    return container.cgroup.pids().sort((a, b) => a - b);
  } finally {
    container.directory.close();
  }
}

/** What ps(1) prints with these arguments, without the lines of processes that are not the container's. */
export function processTable(root: string, id: string, args: readonly string[]): string {
  const pids = new Set(processIds(root, id));
  const [header = "", ...lines] = output("ps", args).split("\n");
  const column = fields(header).indexOf("PID");
  if (column < 0)
    throw new RegError("EINVAL", "the output of ps has no column PID", {
      hint: "options for ps must keep that column",
    });
  const kept = lines.filter((line) => pids.has(Number(fields(line)[column])));
  return [header, ...kept].map((line) => `${line}\n`).join("");
}

function fields(line: string): string[] {
  return line.split(" ").filter((field) => field !== "");
}

/** Standard output of a program in PATH. Throws RegError when it fails. */
function output(program: string, args: readonly string[]): string {
  const ends = new Struct(8);
  checked(libc.pipe2(ends.bytes, C.O_CLOEXEC), "pipe2(2)", program);
  const [reading, writing] = [ends.i32(0), ends.i32(4)];
  let pid: number;
  try {
    pid = spawn(findProgram(program), [program, ...args], host.environ, [{ from: writing, to: 1 }]);
  } finally {
    close(writing);
  }
  const text = host.decode(readAll(reading, `the output of ${program}`));
  close(reading);
  const status = shellStatus(waitFor(pid));
  if (status !== 0) throw new RegError("ECHILD", `${[program, ...args].join(" ")}: exit status ${status}`);
  return text;
}

function findProgram(name: string): string {
  const path = host.environ.find((entry) => entry.startsWith("PATH="))?.slice("PATH=".length);
  for (const directory of (path ?? "/usr/local/bin:/usr/bin:/bin").split(":")) {
    const file = `${directory === "" ? "." : directory}/${name}`;
    if (libc.faccessat(C.AT_FDCWD, file, C.X_OK, 0) === 0) return file;
  }
  throw new RegError("ENOENT", `${name}: executable file not found in $PATH`, {
    hint: "install procps, or use --format json",
  });
}
