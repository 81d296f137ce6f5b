/** Image volume: bytes and files of an image and of an environment that does the same task, and what all eight take together. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { filesOfEnvironment, storeStats } from "../../runtime/reg-env/store/stats.ts";
import type { Store } from "../../runtime/reg-env/store/store.ts";
import { BASE, call, findRuntimes, imageLayer, imageRoot, MARK, SCRATCH, writeBundle } from "./lab.ts";
import { PROGRAMS, type Program } from "./programs.ts";

export interface VolumeRow {
  readonly program: string;
  readonly image: Volume;
  readonly environment: Volume;
  /** The task's output is what it should be, in the image and in the environment. */
  readonly works: { readonly image: boolean; readonly environment: boolean };
}

interface Volume {
  readonly bytes: number;
  readonly files: number;
}

export interface VolumeResult {
  readonly rows: readonly VolumeRow[];
  /** All images, as copies and as layers over one base; and the store. */
  readonly copies: Volume;
  readonly layers: Volume;
  readonly store: Volume;
}

export async function measureVolume(store: Store): Promise<VolumeResult> {
  const rows = PROGRAMS.map((program) => {
    const files = filesOfEnvironment(store.directory, `${program.name}@1`);
    return {
      program: program.name,
      image: volumeOf(imageRoot(program.name)),
      environment: { files: files.length, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) },
      works: {
        image: works(program, { path: imageRoot(program.name) }),
        environment: works(program, { environment: `${program.name}@1` }),
      },
    };
  });
  const { objects, bytes } = await storeStats(store);
  return {
    rows,
    copies: add(rows.map(({ image }) => image)),
    layers: add([volumeOf(BASE), ...PROGRAMS.map(({ name }) => volumeOf(imageLayer(name)))]),
    store: { bytes, files: objects },
  };
}

function works(program: Program, root: Parameters<typeof writeBundle>[1]): boolean {
  const [runtime] = findRuntimes();
  if (runtime === undefined) return false;
  const bundle = join(SCRATCH, "volume");
  writeBundle(bundle, root, program.task);
  const [path = "", ...args] = call(runtime);
  const { stdout, stderr } = spawnSync(path, [...args, "run", "--bundle", bundle, `${MARK}-volume`], {
    encoding: "utf8",
  });
  const good = program.output.test(`${stdout}${stderr}`);
  if (!good) console.error(`${program.name} in ${JSON.stringify(root)}: ${stdout}${stderr}`.slice(0, 800));
  return good;
}

/** Regular files; each inode once, as they are stored. */
function volumeOf(root: string): Volume {
  const seen = new Set<number>();
  let bytes = 0;
  for (const path of walk(root)) {
    const status = fs.lstatSync(path);
    if (!status.isFile() || seen.has(status.ino)) continue;
    seen.add(status.ino);
    bytes += status.size;
  }
  return { bytes, files: seen.size };
}

function* walk(folder: string): Generator<string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}

function add(volumes: readonly Volume[]): Volume {
  return volumes.reduce((sum, each) => ({ bytes: sum.bytes + each.bytes, files: sum.files + each.files }), {
    bytes: 0,
    files: 0,
  });
}
