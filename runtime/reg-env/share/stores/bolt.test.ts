/** The reader of bolt databases, with databases made here by the description of the format, and broken ones. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type BoltBucket, findBucket, readBolt } from "./bolt.ts";

const bolt = suite("bolt");
const PAGE = 4096;
const directory = fs.mkdtempSync(join(tmpdir(), "reg-bolt-"));
bolt.after(() => fs.rmSync(directory, { recursive: true }));

type Tree = { readonly [key: string]: string | Tree };

function checksum(bytes: Buffer): bigint {
  return bytes.reduce((hash, byte) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n), 0xcbf29ce484222325n);
}

/** Writes databases: pages 0 and 1 are meta data, 2 the free list, the others what `add` puts there. */
class Writer {
  readonly pages: Buffer[] = [];

  meta(id: number, root: number, transaction: number): Buffer {
    const page = Buffer.alloc(PAGE);
    page.writeUInt16LE(4, 8);
    page.writeUInt32LE(0xed0cdaed, 16);
    page.writeUInt32LE(2, 20);
    page.writeUInt32LE(PAGE, 24);
    page.writeBigUInt64LE(BigInt(root), 32);
    page.writeBigUInt64LE(BigInt(transaction), 64);
    page.writeBigUInt64LE(checksum(page.subarray(16, 72)), 72);
    page.writeBigUInt64LE(BigInt(id), 0);
    return page;
  }

  leaf(elements: readonly { key: string; value: Buffer; flags: number }[], inline = false): Buffer {
    const bytes = elements.reduce((sum, { key, value }) => sum + key.length + value.length, 16 + 16 * elements.length);
    const page = Buffer.alloc(inline ? bytes : Math.ceil(bytes / PAGE) * PAGE);
    page.writeUInt16LE(2, 8);
    page.writeUInt16LE(elements.length, 10);
    page.writeUInt32LE(inline ? 0 : page.length / PAGE - 1, 12);
    let at = 16 + 16 * elements.length;
    for (const [index, { key, value, flags }] of elements.entries()) {
      const element = 16 + 16 * index;
      page.writeUInt32LE(flags, element);
      page.writeUInt32LE(at - element, element + 4);
      page.writeUInt32LE(key.length, element + 8);
      page.writeUInt32LE(value.length, element + 12);
      at += page.write(key, at);
      at += value.copy(page, at);
    }
    return page;
  }

  /** Returns the number of the page. */
  add(page: Buffer): number {
    const id = 3 + this.pages.reduce((sum, each) => sum + each.length / PAGE, 0);
    page.writeBigUInt64LE(BigInt(id), 0);
    this.pages.push(page);
    return id;
  }

  elements(tree: Tree): { key: string; value: Buffer; flags: number }[] {
    return Object.keys(tree)
      .sort()
      .map((key) => {
        const value = tree[key] ?? "";
        if (typeof value === "string") return { key, value: Buffer.from(value), flags: 0 };
        const header = Buffer.alloc(16);
        const hasBuckets = Object.values(value).some((each) => typeof each !== "string");
        // Small buckets without others in them are kept in the value itself.
        if (!hasBuckets && Object.keys(value).length < 5)
          return { key, value: Buffer.concat([header, this.leaf(this.elements(value), true)]), flags: 1 };
        header.writeBigUInt64LE(BigInt(this.root(value)), 0);
        return { key, value: header, flags: 1 };
      });
  }

  /** A leaf, or leaves with a branch above them. */
  root(tree: Tree): number {
    const elements = this.elements(tree);
    if (elements.length <= 50) return this.add(this.leaf(elements));
    const children: { key: string; page: number }[] = [];
    for (let at = 0; at < elements.length; at += 50) {
      const part = elements.slice(at, at + 50);
      children.push({ key: part[0]?.key ?? "", page: this.add(this.leaf(part)) });
    }
    const branch = Buffer.alloc(PAGE);
    branch.writeUInt16LE(1, 8);
    branch.writeUInt16LE(children.length, 10);
    let at = 16 + 16 * children.length;
    for (const [index, { key, page }] of children.entries()) {
      branch.writeUInt32LE(at - (16 + 16 * index), 16 + 16 * index);
      branch.writeUInt32LE(key.length, 20 + 16 * index);
      branch.writeBigUInt64LE(BigInt(page), 24 + 16 * index);
      at += branch.write(key, at);
    }
    return this.add(branch);
  }

  write(root: number, other = root): string {
    const path = join(directory, "database");
    fs.writeFileSync(
      path,
      Buffer.concat([this.meta(0, root, 8), this.meta(1, other, 7), Buffer.alloc(PAGE), ...this.pages]),
    );
    return path;
  }
}

function toTree(bucket: BoltBucket): Tree {
  return Object.fromEntries(
    bucket
      .entries()
      .map((entry) => [entry.key.toString(), "value" in entry ? entry.value.toString() : toTree(entry.bucket)]),
  );
}

const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`key ${1000 + index}`, `value ${index}`]));
const TREE: Tree = {
  v1: { snapshots: { "default/1/a": { id: "1", kind: "3" }, "default/2/b": { id: "2", kind: "2" } }, many },
  large: { text: "x".repeat(10_000) },
  empty: {},
};

bolt("gives back what is in a database: branches, pages that flow over, buckets in values", () => {
  const writer = new Writer();
  const path = writer.write(writer.root(TREE));
  assert.equal(toTree(readBolt(path)), TREE);
  assert.equal(Object.keys(toTree(findBucket(readBolt(path), "v1", "snapshots") ?? { entries: () => [] })), [
    "default/1/a",
    "default/2/b",
  ]);
  assert.is(findBucket(readBolt(path), "v1", "nothing"), undefined);
});

bolt("the newer of two valid pages of meta data counts, and one may be damaged", () => {
  const writer = new Writer();
  const [old, now] = [writer.root({ a: "old" }), writer.root({ a: "now" })];
  const path = writer.write(now, old);
  assert.equal(toTree(readBolt(path)), { a: "now" });
  const bytes = fs.readFileSync(path);
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  fs.writeFileSync(path, bytes);
  assert.equal(toTree(readBolt(path)), { a: "old" });
});

bolt("a page that contains itself is an error, not a loop", () => {
  const writer = new Writer();
  const header = Buffer.alloc(16);
  header.writeBigUInt64LE(3n, 0);
  writer.add(writer.leaf([{ key: "self", value: header, flags: 1 }]));
  assert.throws(() => toTree(readBolt(writer.write(3))), /in two places/);
});

bolt("every byte may be anything: an error in words, or some other tree", () => {
  const writer = new Writer();
  const path = writer.write(writer.root(TREE));
  const whole = fs.readFileSync(path);
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 300; round++) {
    const broken = Buffer.from(whole.subarray(0, round % 3 === 0 ? random(whole.length) : whole.length));
    // Beyond the meta data, whose checksum would tell.
    for (let change = 0; change < 20 && broken.length > 3 * PAGE; change++)
      broken[3 * PAGE + random(broken.length - 3 * PAGE)] = random(256);
    fs.writeFileSync(path, broken);
    try {
      toTree(readBolt(path));
    } catch (error) {
      assert.match((error as Error).message, /^read .*database: /);
    }
  }
});

bolt.run();
