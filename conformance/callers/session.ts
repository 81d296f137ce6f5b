/**
 * A private corner of the machine for one caller with one runtime: mount and process namespaces of its own, with an empty /run and
 * /dev/shm. Whatever is started in it ends with it, also when this program is killed: its first process ends as its standard input closes,
 * and takes the others along.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

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
mount -t tmpfs -o mode=755 tmpfs /run
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

  private constructor(first: ChildProcess, pid: number, environment: NodeJS.ProcessEnv) {
    this.#first = first;
    this.#pid = pid;
    this.#environment = environment;
  }

  /** `cgroups` is "v1" to hide a cgroup v2 mount that stands beside v1 ones, which crun refuses. */
  static async open(cgroups: "all" | "v1"): Promise<Session> {
    const environment = {
      PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      LANG: "C.UTF-8",
      PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
    };
    const first = spawn(
      "unshare",
      ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", FIRST_PROCESS, "first", cgroups],
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
    return new Session(first, childOf(first.pid ?? 0), environment);
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
    return [`--target=${this.#pid}`, "--mount", "--pid", "sh", "-c", script];
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
    try {
      process.kill(this.#pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }
}

function childOf(pid: number): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
  if (!(child > 0)) throw new Error("unshare has no child");
  return child;
}
