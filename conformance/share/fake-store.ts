/** An image store of containers/storage as a few files and directories, without an engine, and what is in it as text. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as assert from "uvu/assert";
import type { ShareOptions, ShareReport } from "../../runtime/reg-env/share/share.ts";
import { shareStore } from "../../runtime/reg-env/share/share.ts";
import { storesAt } from "../../runtime/reg-env/share/stores/find.ts";
import type { ImageStore } from "../../runtime/reg-env/share/stores/store.ts";

const temporary: string[] = [];
process.on("exit", () => {
  for (const directory of temporary) fs.rmSync(directory, { recursive: true, force: true });
});

/** A directory that is gone when the process ends. */
export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(join(tmpdir(), "reg-share-"));
  temporary.push(directory);
  return directory;
}

/** A layer's id for a name. */
export function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

/** Its short name in mount options. */
export function linkOf(name: string): string {
  return idOf(name)
    .slice(0, 26)
    .toUpperCase()
    .replaceAll(/[^0-9A-Z]/g, "X");
}

export interface FakeLayer {
  readonly parent?: string;
  readonly flags?: object;
}

export interface FakeImage {
  readonly layer: string;
  readonly names?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

export class FakeStore {
  readonly root: string;
  #layers: object[] = [];
  #images: object[] = [];
  #containers: object[] = [];

  constructor(root = join(temporaryDirectory(), "storage")) {
    this.root = root;
    for (const name of ["overlay/l", "overlay-layers", "overlay-images", "overlay-containers"])
      fs.mkdirSync(join(root, name), { recursive: true, mode: 0o700 });
    fs.writeFileSync(join(root, "overlay-layers/layers.lock"), "");
    this.#write();
  }

  layer(name: string, { parent, flags }: FakeLayer = {}): this {
    const id = idOf(name);
    fs.mkdirSync(join(this.root, "overlay", id, "diff"), { recursive: true, mode: 0o755 });
    fs.writeFileSync(join(this.root, "overlay", id, "link"), linkOf(name));
    if (parent !== undefined) {
      const above = join(this.root, "overlay", idOf(parent), "lower");
      const lower = fs.existsSync(above) ? `:${fs.readFileSync(above, "utf8")}` : "";
      fs.writeFileSync(join(this.root, "overlay", id, "lower"), `l/${linkOf(parent)}${lower}`);
    }
    this.#layers.push({ id, ...(parent === undefined ? {} : { parent: idOf(parent) }), ...(flags ? { flags } : {}) });
    this.#write();
    return this;
  }

  image({ layer, names = [], labels = {} }: FakeImage): this {
    const config = JSON.stringify({ config: { Labels: labels }, rootfs: { layer } });
    const id = createHash("sha256").update(config).digest("hex");
    const folder = join(this.root, "overlay-images", id);
    fs.mkdirSync(folder);
    fs.writeFileSync(join(folder, `=${Buffer.from(`sha256:${id}`).toString("base64")}`), config);
    this.#images.push({ id, layer: idOf(layer), names });
    this.#write();
    return this;
  }

  container(layer: string): this {
    this.#containers.push({ id: idOf(`container of ${layer}`), layer: idOf(layer) });
    this.#write();
    return this;
  }

  /** A layer and an image of it. */
  simple(name: string): this {
    return this.layer(name).image({ layer: name });
  }

  diff(layer: string): string {
    return join(this.root, "overlay", idOf(layer), "diff");
  }

  /** Writes a file of root that was last changed at a fixed time. */
  file(layer: string, path: string | Buffer, content: string, { mode = 0o644, time = 1_600_000_000 } = {}): this {
    const absolute = Buffer.concat([Buffer.from(`${this.diff(layer)}/`), Buffer.from(path)]);
    const parent = dirname(absolute.toString("latin1"));
    fs.mkdirSync(Buffer.from(parent, "latin1"), { recursive: true, mode: 0o755 });
    fs.writeFileSync(absolute, content, { mode });
    fs.chmodSync(absolute, mode);
    fs.utimesSync(absolute, time, time);
    return this;
  }

  /** The times of all directories, as an image gives them. Last, when all files are there. */
  done(): this {
    const setTimes = (directory: Buffer) => {
      for (const entry of fs.readdirSync(directory, { withFileTypes: true, encoding: "buffer" }))
        if (entry.isDirectory()) setTimes(Buffer.concat([directory, Buffer.from("/"), entry.name]));
      fs.utimesSync(directory, 1_500_000_000, 1_500_000_000.25);
    };
    for (const layer of this.#layers)
      setTimes(Buffer.from(join(this.root, "overlay", (layer as { id: string }).id, "diff")));
    return this;
  }

  inode(layer: string, path: string): number {
    return fs.lstatSync(join(this.diff(layer), path)).ino;
  }

  /** `read`: says something else than the store's own. */
  share(options: Partial<ShareOptions> = {}, read?: (own: ImageStore) => ImageStore["read"]): Promise<ShareReport> {
    const [store] = storesAt(this.root);
    if (store === undefined) throw new Error("no store");
    return shareStore(read === undefined ? store : { ...store, read: read(store) }, {
      exclusions: [],
      linkToMounted: false,
      dryRun: false,
      undo: false,
      cache: join(this.root, "../cache"),
      onProgress: () => undefined,
      onWait: () => undefined,
      ...options,
    });
  }

  #write(): void {
    const write = (path: string, value: object) => fs.writeFileSync(join(this.root, path), JSON.stringify(value));
    write("overlay-layers/layers.json", this.#layers);
    write("overlay-images/images.json", this.#images);
    write("overlay-containers/containers.json", this.#containers);
  }
}

/** Everything below a directory but the numbers of inodes and links, a line for each path; times of directories only if asked for. */
export function dump(directory: string, { directoryTimes = true } = {}): string[] {
  const lines: string[] = [];
  const walk = (folder: Buffer) => {
    for (const entry of fs.readdirSync(folder, { encoding: "buffer" }).sort(Buffer.compare)) {
      const path = Buffer.concat([folder, Buffer.from("/"), entry]);
      const status = fs.lstatSync(path, { bigint: true });
      const time = status.isDirectory() && !directoryTimes ? "" : status.mtimeNs;
      const content = status.isFile()
        ? createHash("sha256").update(fs.readFileSync(path)).digest("hex").slice(0, 16)
        : status.isSymbolicLink()
          ? fs.readlinkSync(path)
          : "";
      const size = status.isDirectory() ? "" : status.size;
      lines.push(
        [path.toString("latin1"), status.mode.toString(8), status.uid, status.gid, size, time, content].join(" "),
      );
      if (status.isDirectory()) walk(path);
    }
  };
  walk(Buffer.from(directory));
  return lines;
}

/** The content of all layers, and whatever else stands beside them but the directory that share works in. */
export function dumpStore(store: FakeStore, options: { directoryTimes?: boolean } = {}): string[] {
  return dump(join(store.root, "overlay"), options).filter((line) => !line.includes("/overlay/.reg-share"));
}

/** As assert.equal, but of thousands of lines it shows the few that differ. */
export function assertSame(actual: readonly string[], expected: readonly string[]): void {
  const [left, right] = [new Set(actual), new Set(expected)];
  const differing = [
    ...actual.filter((line) => !right.has(line)).map((line) => `+ ${line}`),
    ...expected.filter((line) => !left.has(line)).map((line) => `- ${line}`),
  ];
  assert.equal(differing.slice(0, 20), []);
  assert.is(actual.length, expected.length);
}
