import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need, needs } from "../../conformance/testing.ts";
import { moveAside, runsAlone } from "./processor.ts";

const processor = suite("processor");

/** How many processors a process may use: "Cpus_allowed_list: 0-2,5". */
function countAllowed(pid: number): number {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
  const ranges = list.split(",").map((range) => range.split("-").map(Number));
  return ranges.reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}

needs(processor, need("two processors", availableParallelism() > 1))("moves a process off its own processor", () => {
  const child = spawn("sleep", ["100"]);
  const pid = child.pid ?? 0;
  try {
    moveAside(pid);
    assert.is(countAllowed(pid), countAllowed(process.pid) - 1);
  } finally {
    child.kill("SIGKILL");
  }
});

processor("does not run alone while another process wants a processor", () => {
  const busy = spawn("sh", ["-c", "while :; do :; done"]);
  try {
    const deadline = Date.now() + 5000;
    while (readFileSync(`/proc/${busy.pid}/stat`, "utf8").split(" ")[13] === "0" && Date.now() < deadline);
    assert.is(runsAlone(), false);
  } finally {
    busy.kill("SIGKILL");
  }
});

processor.run();
