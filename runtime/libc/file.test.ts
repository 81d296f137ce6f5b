import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTextIfExists } from "./file.ts";

const file = suite("files");

file("a file that does not exist has no text", () => assert.is(readTextIfExists("/proc/nowhere"), undefined));

// By the descriptor it can still be opened, and read(2) says ESRCH: as when the process goes right after open(2).
file("the file of a process that has gone has no text", async () => {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  const fd = openSync(`/proc/${child.pid}/stat`, "r");
  try {
    assert.match(readTextIfExists(`/proc/self/fd/${fd}`) ?? "", "(sleep)");
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.is(readTextIfExists(`/proc/self/fd/${fd}`), undefined);
  } finally {
    closeSync(fd);
    child.kill("SIGKILL");
  }
});

file.run();
