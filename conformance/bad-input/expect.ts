/** Calls the runtime with something wrong, and holds it to its exact words and to leaving nothing behind. */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as assert from "uvu/assert";
import type { Bundle } from "../fixtures/bundle.ts";
import { Fixture, type Result } from "../fixtures/fixture.ts";
import { REG } from "../paths.ts";
import { need } from "../testing.ts";

/** The words are reg's own: another runtime in its place has others. */
export const regItself = need("reg itself", basename(REG).startsWith("reg"));

/** What a test works with: a bundle that would run, and an id for its container. */
export interface Scene {
  readonly fixture: Fixture;
  readonly bundle: Bundle;
  readonly id: string;
}

/** stderr with this test's own paths and ids replaced: `{bundle}`, `{id}`, `{folder}`; numbers of bytes too. */
export function neutral(text: string, { fixture, bundle, id }: Scene): string {
  return text
    .replaceAll(bundle.path, "{bundle}")
    .replaceAll(id, "{id}")
    .replaceAll(fixture.folder, "{folder}")
    .replaceAll(/uses \d+ bytes/g, "uses {number} bytes");
}

/** One for all tests of a file, as long as nothing is left in it. */
let shared: Fixture | undefined;

/**
 * Runs `call` in a scene of its own: the runtime must fail with `status`, say `message` (without the name in front and the
 * last line end), and leave nothing.
 */
export function refuses(
  message: string,
  call: (scene: Scene) => Result,
  { args = ["/bin/true"], status = 1 }: { readonly args?: readonly string[]; readonly status?: number } = {},
): void {
  shared ??= new Fixture();
  const fixture = shared;
  try {
    const scene = { fixture, bundle: fixture.bundle(args), id: fixture.id() };
    const result = call(scene);
    assert.is(neutral(result.stderr, scene), `reg: ${message}\n`);
    assert.is(result.status, status);
    assert.is(result.stdout, "");
    fixture.assertNothingLeft();
  } catch (error) {
    fixture.remove();
    shared = undefined;
    throw error;
  }
}

/** `create` of the scene's bundle, with options before the id. */
export function create({ fixture, bundle, id }: Scene, ...options: readonly string[]): Result {
  return fixture.reg("create", "--bundle", bundle.path, ...options, id);
}

/** Writes the bundle's config.json as text. */
export function writeConfig({ bundle }: Scene, text: string): void {
  writeFileSync(join(bundle.path, "config.json"), text);
}
