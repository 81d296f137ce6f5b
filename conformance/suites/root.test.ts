/** Entering another root: the command has a machine of its own, whose first process looks after orphans. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TOP } from "../paths.ts";
import { findProgram, mounting, needs, program, root } from "../testing.ts";

const APPLETS = ["sh", "sleep", "kill", "cat", "umount", "rmdir", "readlink"];
const TIMEOUT_MS = 60_000;

const entering = suite("entering another root");
const test = needs(
  entering,
  root,
  mounting,
  program("busybox"),
  program("unshare"),
  program("pivot_root"),
  program("ip"),
);

/** Runs a shell script in a root of busybox alone. */
function enter(script: string, input = ""): { readonly status: number | null; readonly stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), "reg-root-"));
  try {
    for (const name of ["bin", "proc", "sys", "run", "tmp", "dev"]) mkdirSync(join(folder, name));
    copyFileSync(findProgram("busybox") ?? "", join(folder, "bin/busybox"));
    for (const applet of APPLETS) symlinkSync("busybox", join(folder, "bin", applet));
    const { status, stdout } = spawnSync(
      "sh",
      [join(TOP, "conformance/suites/root.sh"), "enter", folder, "/bin/sh", "-c", script],
      { encoding: "utf8", input, timeout: TIMEOUT_MS, killSignal: "SIGKILL", env: { ...process.env, NETWORK: "none" } },
    );
    return { status, stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the command has its input, and its status is told", () => {
  const { status, stdout } = enter("cat; readlink /proc/1/root; exit 7", "words\n");
  assert.is(stdout, "words\n/\n");
  assert.is(status, 7);
});

test("an orphan is reaped, whatever the command is", () => {
  // The command becomes a program that waits for nobody, so whoever is looking on sees whether process 1 does.
  const { stdout } = enter(`
    (sleep 0.1 & echo $! >/tmp/orphan)
    (
        n=0
        while [ -d /proc/$(cat /tmp/orphan) ] && [ $n -lt 50 ]; do
            n=$((n + 1))
            sleep 0.1
        done
        [ -d /proc/$(cat /tmp/orphan) ] && echo zombie || echo reaped
        kill -KILL $$
    ) &
    exec sleep 20`);
  assert.is(stdout, "reaped\n");
});

entering.run();
