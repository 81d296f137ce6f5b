/**
 * One case: documents from a seed, given to the runtime, and what must hold whatever is in them. The runtime ends by itself, in time and with
 * a status of its own; it never speaks the engine's language; and, which is asked for a number of cases together, it leaves nothing.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bundle, defaultSpec, makeRootfs } from "../fixtures/bundle.ts";
import type { Fixture } from "../fixtures/fixture.ts";
import { confine, confineProcess, fresh, type Json, type Kind, mutate } from "./documents.ts";
import { Random } from "./random.ts";

const TIMEOUT_MS = 20_000;
/** What only a defect says. */
const DEFECT = /internal error|Sanitizer|runtime error:|\b(Type|Range|Reference|Internal|Syntax)Error\b/;

export const KINDS: readonly Kind[] = ["config", "process", "resources", "container"];

/** A running container that documents are for, made anew when it is gone. */
export class Target {
  readonly #fixture: Fixture;
  #id: string | undefined;

  constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  get id(): string {
    this.#id ??= this.#fixture.launch(this.#fixture.sleeper());
    return this.#id;
  }

  /** It was deleted, or may not be as it was. */
  renew(): void {
    if (this.#id !== undefined) this.#fixture.reg("delete", "--force", this.#id);
    this.#id = undefined;
  }
}

/** Runs the case of a seed. Returns what is wrong with how the runtime took it; undefined when all is well. */
export function runCase(
  fixture: Fixture,
  target: Target,
  bundle: Bundle,
  kind: Kind,
  seed: number,
): string | undefined {
  const random = new Random(seed);
  switch (kind) {
    case "config":
      return runConfig(fixture, bundle, random);
    case "process": {
      const { process } = defaultSpec();
      const document = random.oneIn(4) ? fresh(random, kind) : (process as unknown as { [key: string]: Json });
      mutate(random, kind, document);
      confineProcess(random, document, fixture.mark);
      const file = fixture.write("process.json", JSON.stringify(document));
      return call(fixture, "exec", "--process", file, target.id);
    }
    case "resources": {
      const document = fresh(random, kind);
      mutate(random, kind, document);
      const fault = call(
        fixture,
        "update",
        "--resources",
        fixture.write("resources.json", JSON.stringify(document)),
        target.id,
      );
      target.renew(); // with its limits it may not be able to go on
      return fault;
    }
    case "container":
      return runState(fixture, target, random);
  }
}

function runConfig(fixture: Fixture, bundle: Bundle, random: Random): string | undefined {
  const id = fixture.id();
  const spec = defaultSpec();
  spec.process.args = ["/bin/true"];
  const document = random.oneIn(4) ? fresh(random, "config") : (spec as unknown as { [key: string]: Json });
  mutate(random, "config", document);
  confine(random, document, fixture.mark, id);
  // Its image was the last case's too, and that may have had it changed.
  writeFileSync(join(bundle.path, "config.json"), JSON.stringify(document));
  const plan = call(fixture, "plan", "--bundle", bundle.path, id);
  return plan ?? call(fixture, "run", "--bundle", bundle.path, id);
}

/** state.json is of the caller or root; what is in it may be odd all the same. */
function runState(fixture: Fixture, target: Target, random: Random): string | undefined {
  const { id } = target;
  const path = join(fixture.root, id, "state.json");
  const intact = readFileSync(path, "utf8");
  const document = random.oneIn(4) ? fresh(random, "container") : JSON.parse(intact);
  const { cgroup, pid, startTime } = JSON.parse(intact);
  mutate(random, "container", document);
  // It names what is killed and removed: that stays the container's.
  if (Object.hasOwn(document, "pid") && typeof document.pid === "number") Object.assign(document, { pid, startTime });
  if (typeof document.cgroup?.paths === "object") document.cgroup = cgroup;
  if (typeof document.hooks === "object") document.hooks = {};
  delete document.resctrl;
  const text = random.oneIn(5) ? JSON.stringify(document).slice(0, random.below(400)) : JSON.stringify(document);
  writeFileSync(path, text);
  try {
    for (const args of [["list"], ["state", id], ["kill", id, "0"], ["ps", id], ["exec", id, "true"], ["delete", id]]) {
      const fault = call(fixture, ...args);
      if (fault !== undefined) return fault;
    }
  } finally {
    try {
      writeFileSync(path, intact);
    } catch {
      // It was deleted.
    }
    target.renew();
  }
  return undefined;
}

function call(fixture: Fixture, ...args: string[]): string | undefined {
  const [program = "", ...rest] = fixture.command(...args);
  const { status, signal, error, stdout, stderr } = spawnSync(program, rest, {
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  const said = `${args.join(" ")}: ${stderr.slice(0, 1000)}`;
  if (error !== undefined) return `${said}: ${error.message}`;
  if (signal !== null) return `${said}: ended by ${signal}`;
  if (DEFECT.test(stderr) || DEFECT.test(stdout)) return said;
  if (args[0] !== "run" && args[0] !== "exec" && status !== 0 && status !== 1) return `${said}: status ${status}`;
  return undefined;
}

/** The image as it was. */
export function restore({ rootfs }: Bundle): void {
  spawnSync("rm", ["-rf", rootfs]);
  makeRootfs(rootfs);
}
