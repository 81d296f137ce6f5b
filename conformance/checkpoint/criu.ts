/** CRIU for tests: the program that works on this kernel, and a runtime's calls with it. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, waitUntil } from "../fixtures/fixture.ts";
import { TOOLS, TOP } from "../paths.ts";
import { type Need, need } from "../testing.ts";

/** CRIU reads and writes a whole container, and looks at the kernel's features first. */
const TIMEOUT_MS = 60_000;

/** Absolute path; undefined where none works or can be had. */
export const CRIU = findCriu();

/** The need for a CRIU that works on this kernel. */
export const criu: Need = need("CRIU that works on this kernel", CRIU !== undefined);

function findCriu(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const script = join(TOP, "conformance/checkpoint/criu.sh");
  const { status, stdout } = spawnSync("sh", [script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return status === 0 ? stdout.trim() : undefined;
}

/** The options by which a runtime finds this CRIU: by $PATH, as runc and crun know no other way. */
export const withCriu = {
  timeout: TIMEOUT_MS,
  env: { ...process.env, PATH: `${dirname(CRIU ?? "/")}:${process.env.PATH}` },
};

/** A new directory in the fixture's folder. */
export function imageDirectory(fixture: Fixture, name: string): string {
  const path = fixture.path(name);
  mkdirSync(path, { recursive: true });
  return path;
}

export function checkpoint(fixture: Fixture, id: string, images: string, ...options: string[]): Result {
  return fixture.regWith(withCriu, "checkpoint", "--image-path", images, ...options, id);
}

/** Restores in the background. */
export function restore(fixture: Fixture, id: string, bundle: Bundle, images: string, ...options: string[]): Result {
  const where = ["--bundle", bundle.path, "--image-path", images];
  return fixture.regWith(withCriu, "restore", "--detach", ...where, ...options, id);
}

export function ok(result: Result): void {
  assert.is(result.status, 0, `status ${result.status}: ${result.stderr}`);
}

/** A bundle that runs checkpointed.c. */
export function checkpointed(fixture: Fixture, args: readonly string[], change?: (spec: Spec) => void): Bundle {
  const bundle = fixture.bundle(["/bin/checkpointed", ...args], writable(change));
  copyFileSync(join(TOOLS, "checkpointed"), join(bundle.rootfs, "bin/checkpointed"));
  return bundle;
}

/** A bundle whose container counts in its shell's memory: it shows the number in /tmp/count, and all of them in /tmp/log. */
export function counter(fixture: Fixture, change?: (spec: Spec) => void): Bundle {
  const show = "echo $i >> /tmp/log; echo $i > /tmp/new; mv /tmp/new /tmp/count";
  return fixture.shell(`i=0; while :; do ${show}; i=$((i+1)); sleep 0.02; done`, writable(change));
}

function writable(change?: (spec: Spec) => void) {
  return (spec: Spec) => {
    spec.root.readonly = false;
    change?.(spec);
  };
}

export function count(bundle: Bundle): number {
  return Number(readFileSync(join(bundle.rootfs, "tmp/count"), "utf8"));
}

/** Starts a counter, and waits until it counts. */
export function launchCounter(fixture: Fixture, bundle: Bundle, ...options: string[]): string {
  const id = fixture.launch(bundle, ...options);
  waitUntil("it counts", () => existsSync(join(bundle.rootfs, "tmp/count")) && count(bundle) > 2);
  return id;
}

/** Waits until it counts on from where it was. */
export function assertCounts(bundle: Bundle, from: number): number {
  return waitUntil("the counter goes on", () => {
    const now = count(bundle);
    assert.ok(now >= from, `it began again: ${from}, then ${now}`);
    return now > from && now;
  });
}

/** Saves the counter and lets it go on in a new container of the same name. */
export function cycle(fixture: Fixture, id: string, bundle: Bundle, name = "images"): void {
  const images = imageDirectory(fixture, name);
  ok(checkpoint(fixture, id, images));
  const saved = count(bundle);
  ok(restore(fixture, id, bundle, images));
  assertCounts(bundle, saved);
}
