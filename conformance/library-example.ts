/**
 * reg as a library, from a Node program. Run it as root after `make build`: node dist/conformance/library-example.js
 * It makes a bundle with busybox in a temporary folder, runs a container from it, and leaves nothing behind.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ConfigError,
  create,
  defaultSpec,
  events,
  exec,
  kill,
  list,
  parse,
  pause,
  plan,
  ps,
  RegError,
  remove,
  resume,
  run,
  start,
  state,
  stats,
  update,
} from "reg";
import { makeRootfs } from "./fixtures/bundle.ts";

const bundle = mkdtempSync(join(tmpdir(), "reg-example-"));
const root = join(bundle, "state");
try {
  mkdirSync(join(bundle, "rootfs"));
  makeRootfs(join(bundle, "rootfs"));
  const spec = defaultSpec();
  const write = (args: readonly string[]) =>
    writeFileSync(
      join(bundle, "config.json"),
      JSON.stringify({ ...spec, process: { ...spec.process, terminal: false, args } }),
    );

  // What would be done, before anything is.
  write(["sleep", "1000"]);
  console.log(
    "mounts:",
    plan({ bundle, root })
      .mounts.map(({ destination }) => destination)
      .join(" "),
  );

  // The life of a container, step by step.
  create({ id: "example", bundle, root });
  console.log("after create:", state("example", { root }).status);
  start("example", { root });
  console.log("after start:", state("example", { root }).status);

  // More processes in it, limits, and what it uses.
  console.log("exec:", exec("example", { root, args: ["sh", "-c", "exit $CODE"], env: ["CODE=3"] }));
  console.log("processes:", ps("example", { root }).length);
  update("example", { pids: { limit: 17 } }, { root });
  console.log("limit of processes:", stats("example", { root }).pids.limit);
  pause("example", { root });
  console.log("after pause:", state("example", { root }).status);
  resume("example", { root });
  console.log("after resume:", state("example", { root }).status);
  let seen = 0;
  events(
    "example",
    ({ type }) => {
      if (type === "stats") seen++;
      if (seen === 3) kill("example", "KILL", { root });
    },
    { root, intervalMs: 10 },
  );
  console.log("events until its end:", seen >= 3);
  remove("example", { root, force: true });
  console.log("after remove:", list({ root }).length, "containers");

  // All of it at once.
  write(["sh", "-c", "exit 7"]);
  console.log("run:", run({ id: "example", bundle, root }));

  // Errors say where and why.
  try {
    state("example", { root });
  } catch (error) {
    if (error instanceof RegError) console.log("error:", error.code, error.message);
  }
  try {
    parse('{"ociVersion": "1.3.0", "process": {"cwd": 7}}');
  } catch (error) {
    if (error instanceof ConfigError) console.log("faults:", error.faults.map(({ pointer }) => pointer).join(" "));
  }
} finally {
  remove("example", { root, force: true });
  rmSync(bundle, { recursive: true, force: true });
}
