/**
 * `make experiments`: what environments of shared files are worth, with eight programs of Debian.
 *
 *   run.js [--only volume,startup,memory,storm,model] [--quick] [--update]
 *
 * Results are kept in build/experiments/results.json, so that parts can be run alone; --update writes charts and the README's
 * section from them. Started by run.sh. Removes all containers and copies, also when it is interrupted.
 */
import * as fs from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cgroupV2 } from "../testing.ts";
import { cleanUp, generate, LAB, prepare } from "./lab.ts";
import { measureMemory } from "./memory.ts";
import { measureModel } from "./model.ts";
import { PROGRAMS } from "./programs.ts";
import { print, type Results, update } from "./report.ts";
import { measureStartup } from "./startup.ts";
import { measureStorm } from "./storm.ts";
import { measureVolume } from "./volume.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    update: { type: "boolean", default: false },
  },
});
const PARTS = ["volume", "startup", "memory", "storm", "model"] as const;
const parts = options.only === undefined ? PARTS : PARTS.filter((part) => options.only?.split(",").includes(part));
const { quick, update: updating } = options;

const file = join(LAB, "results.json");
const results: Results = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : {};

function say(text: string): void {
  process.stderr.write(`experiments: ${text}\n`);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => {
    cleanUp();
    process.exit(1);
  });

try {
  const store = prepare();
  // With no part to measure, only the report is made again.
  for (const program of parts.length === 0 ? [] : PROGRAMS) {
    say(`environment of ${program.name}`);
    await generate(store, program);
  }
  results.machine = {
    processor: `${availableParallelism()} x ${cpus()[0]?.model ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 1e9)} GB`,
    kernel: release(),
    cgroups: cgroupV2.met ? "v2" : "v1",
  };
  for (const part of parts) {
    say(part);
    if (part === "volume") results.volume = await measureVolume(store);
    if (part === "startup") results.startup = await measureStartup(quick ? 2 : 9, quick ? 1 : 3);
    if (part === "memory") results.memory = await measureMemory(store, quick ? [1, 10] : [1, 10, 50, 200]);
    if (part === "storm") results.storm = await measureStorm(quick ? [1, 10] : [1, 10, 50, 100, 200], quick ? 1 : 5);
    if (part === "model") results.model = await measureModel(store, quick);
    fs.writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
  }
} finally {
  cleanUp();
}
print(results);
if (updating) update(results);
