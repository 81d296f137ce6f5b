/**
 * A private corner of the machine for one caller with one runtime: mount and process namespaces of its own, with an empty /run and
 * /dev/shm. Whatever is started in it ends with it, also when this program is killed: its first process ends as its standard input closes,
 * and takes the others along. One that asks systemd has no process namespace, as systemd is told numbers of processes; it keeps systemd's
 * part of /run, and what is left in it is looked for by its mount namespace.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { User } from "./caller.ts";

export interface Surroundings {
  /** "v1" hides a cgroup v2 mount that stands beside v1 ones, which crun refuses. */
  readonly cgroups: "all" | "v1";
  /** The machine's systemd can be asked. */
  readonly systemd: boolean;
  /** Who runs the scripts, when it is not root. */
  readonly user?: User;
}

export interface Outcome {
  /** Exit status; 128 + N when a signal ended the script, -1 when it did not end in time. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What went wrong at the first attempt, when this is the second. */
  readonly before?: string;
}

const SIGKILL = 9;

/** With SIGCHLD ignored the kernel reaps the orphans that a first process inherits. */
const FIRST_PROCESS = `
set -e
if [ "$2" = systemd ]; then
    mount -t tmpfs -o mode=755 tmpfs /mnt
    for name in systemd dbus user; do
        mkdir /mnt/$name
        mount --rbind /run/$name /mnt/$name
    done
    mkdir /mnt/mount # where mount(8) remembers what it has done
    mount --move /mnt /run
else
    mount -t tmpfs -o mode=755 tmpfs /run
fi
mkdir -m 1777 /run/lock
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
if [ "$1" = v1 ] && grep -q ' /sys/fs/cgroup/unified ' /proc/self/mounts; then
    umount /sys/fs/cgroup/unified
fi
echo ready
exec env --ignore-signal=CHLD cat
`;

export class Session {
  #first: ChildProcess;
  #pid: number;
  #environment: NodeJS.ProcessEnv;
  #surroundings: Surroundings;
  /** Of a session without a process namespace: the name of its mount namespace. */
  #mounts: string | undefined;

  private constructor(first: ChildProcess, pid: number, environment: NodeJS.ProcessEnv, surroundings: Surroundings) {
    this.#first = first;
    this.#pid = pid;
    this.#environment = environment;
    this.#surroundings = surroundings;
    this.#mounts = surroundings.systemd ? readlinkSync(`/proc/${pid}/ns/mnt`) : undefined;
  }

  static async open(surroundings: Surroundings): Promise<Session> {
    const { cgroups, systemd, user } = surroundings;
    const environment = {
      PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      ...(user === undefined ? {} : userEnvironment(user)),
      LANG: "C.UTF-8",
      PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
    };
    const first = spawn(
      "unshare",
      [
        "--mount",
        "--fork",
        "--kill-child",
        ...(systemd ? [] : ["--pid", "--mount-proc"]),
        "sh",
        "-c",
        FIRST_PROCESS,
        "first",
        cgroups,
        systemd ? "systemd" : "",
      ],
      // In a process group of its own, so that an interrupt from the terminal leaves time to clean up.
      { stdio: ["pipe", "pipe", "pipe"], env: environment, detached: true },
    );
    let errors = "";
    first.stderr.on("data", (data) => {
      errors += data;
    });
    await new Promise<void>((resolve, reject) => {
      first.stdout.once("data", () => resolve());
      first.once("exit", () => reject(new Error(`no namespaces of its own: ${errors.trim()}`)));
      first.once("error", reject);
    });
    return new Session(first, childOf(first.pid ?? 0), environment, surroundings);
  }

  /** Runs a shell script in the session. Processes that it leaves in the background must not hold its stdout. */
  run(script: string, timeoutMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = spawn("nsenter", this.#enter(script), {
        stdio: ["ignore", "pipe", "pipe"],
        env: this.#environment,
        cwd: "/",
        detached: true,
      });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (data) => {
        stdout += data;
      });
      child.stderr.on("data", (data) => {
        stderr += data;
      });
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL"); // nsenter and its script
      }, timeoutMs);
      child.on("exit", (code, signal) => {
        clearTimeout(timer);
        const status = late ? -1 : (code ?? 128 + (signal === "SIGKILL" ? SIGKILL : 0));
        // What was written before the end may still be on its way; a process in the background may hold the pipe open for ever.
        setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
          resolve({ status, stdout, stderr });
        }, 10);
      });
    });
  }

  /** As run, for the end of this program, when nothing can be waited for any more. Its output is lost. */
  runNow(script: string, timeoutMs: number): void {
    spawnSync("nsenter", this.#enter(script), {
      stdio: "ignore",
      env: this.#environment,
      cwd: "/",
      timeout: timeoutMs,
    });
  }

  #enter(script: string): string[] {
    const { systemd, user } = this.#surroundings;
    const as = user === undefined ? [] : ["runuser", "--user", user.name, "--"];
    return [`--target=${this.#pid}`, "--mount", ...(systemd ? [] : ["--pid"]), ...as, "sh", "-c", script];
  }

  /** Ends everything in it. */
  async close(): Promise<void> {
    if (this.#first.exitCode !== null || this.#first.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#first.once("exit", resolve));
    this.kill();
    await ended;
  }

  /** The same without waiting for it. */
  kill(): void {
    const members = this.#mounts === undefined ? [] : processesIn(this.#mounts);
    for (const pid of [this.#pid, ...members]) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone already.
      }
    }
  }
}

/** What the user's programs find their session by. */
function userEnvironment({ id, home }: User): NodeJS.ProcessEnv {
  const directory = `/run/user/${id}`;
  return { HOME: home, XDG_RUNTIME_DIR: directory, DBUS_SESSION_BUS_ADDRESS: `unix:path=${directory}/bus` };
}

/** The processes of a mount namespace. */
function processesIn(mounts: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readlinkSync(`/proc/${pid}/ns/mnt`) === mounts;
      } catch {
        return false; // ended meanwhile, or of the kernel
      }
    });
}

function childOf(pid: number): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
  if (!(child > 0)) throw new Error("unshare has no child");
  return child;
}
