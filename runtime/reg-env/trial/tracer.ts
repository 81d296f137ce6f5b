/** strace(1) on a container from before its command is executed: a hook attaches it to init, which waits for the hook. */
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { RegError } from "../../errors/errors.ts";
import type { Hook } from "../../oci/config.ts";

const POLL_MS = 20;
const LONGEST_MS = 10_000;

/** $0 the log, then what strace is called with; the container's state comes on standard input. */
const ATTACH = `PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
pid=$(tr , '\\n' | sed -n 's/^[{[:space:]]*"pid": *\\([0-9]*\\).*/\\1/p')
setsid strace -p "$pid" "$@" -o "$0" </dev/null >/dev/null 2>"$0.errors" &
tracer=$!
echo "$tracer" >"$0.pid"
while kill -0 "$tracer" 2>/dev/null; do
    case $(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$pid/status") in
        "" | 0) sleep 0.01 ;;
        *) exit 0 ;;
    esac
done
cat "$0.errors" >&2
exit 1`;

const OPTIONS = ["-f", "-y", "-s", "4096", "-e", "trace=%file,%process,fchdir", "-e", "signal=none"];

export function tracingHook(log: string): Hook {
  return { path: "/bin/sh", args: ["sh", "-c", ATTACH, log, ...OPTIONS] };
}

/** It writes until the last process of the container has gone. */
export async function endOfTracer(log: string): Promise<void> {
  if (!fs.existsSync(`${log}.pid`)) return;
  const pid = Number(fs.readFileSync(`${log}.pid`, "utf8"));
  for (let waited = 0; fs.existsSync(`/proc/${pid}`); waited += POLL_MS) {
    if (waited > LONGEST_MS) throw new RegError("ETIMEDOUT", `strace(1), process ${pid}, does not end`);
    await sleep(POLL_MS);
  }
}

/** From the command's own execve(2) on: what was before is the runtime's. */
export function readTrace(log: string): string {
  const text = fs.readFileSync(log, "utf8");
  const start = /^(?:\d+ +)?execve\(.*= 0$/m.exec(text)?.index;
  return start === undefined ? "" : text.slice(start);
}
