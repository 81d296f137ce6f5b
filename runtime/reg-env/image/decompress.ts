/** Compressed layers: gzip, by Node, and zstd, by zstd(1), which Node 20 does not have. Source: image-spec layer.md, RFC 1952, RFC 8878. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { RegError } from "../../errors/errors.ts";
import { printable } from "../../errors/printable.ts";
import type { Part } from "./open.ts";

export type Compression = "gzip" | "zstd";

const LARGEST_LAYER_BYTES = 64 * 1024 ** 3;
const GZIP_MAGIC = 0x8b1f;
const ZSTD_MAGIC = 0xfd2fb528;
/** A frame of zstd with something that is to be skipped, as in layers of zstd:chunked: 0x184D2A50 to 0x184D2A5F. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** undefined for an archive that is as it is. */
export function compressionOf({ fd, start, end }: Part): Compression | undefined {
  const magic = Buffer.alloc(4);
  if (end - start < magic.length || fs.readSync(fd, magic, 0, magic.length, start) < magic.length) return undefined;
  if (magic.readUInt16LE() === GZIP_MAGIC) return "gzip";
  const number = magic.readUInt32LE();
  return number === ZSTD_MAGIC || (number & 0xfffffff0) === SKIPPABLE_MAGIC ? "zstd" : undefined;
}

/** Unpacks it into a file of its own; the caller closes it and removes the folder. `name` is the image's, for errors. */
export async function decompress(
  { fd, start, end }: Part,
  compression: Compression,
  name: string,
): Promise<{ readonly fd: number; readonly folder: string }> {
  const folder = fs.mkdtempSync(join(tmpdir(), "reg-env-layer-"));
  try {
    const path = join(folder, "layer");
    const packed = fs.createReadStream("", { fd, start, end: end - 1, autoClose: false });
    if (compression === "gzip") await pipeline(packed, createGunzip(), limited, fs.createWriteStream(path));
    else await unzstd(packed, path, name);
    return { fd: fs.openSync(path, "r"), folder };
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function* limited(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.length;
    if (total > LARGEST_LAYER_BYTES) throw new RegError("EFBIG", `a layer has more than ${LARGEST_LAYER_BYTES} bytes`);
    yield chunk;
  }
}

async function unzstd(packed: Readable, path: string, name: string): Promise<void> {
  const child = spawn("zstd", ["--decompress", "--stdout", "--quiet"], { stdio: ["pipe", "pipe", "pipe"] });
  const failed = new Promise<Error>((done) => child.once("error", done));
  const ended = once(child, "close").then(
    () => undefined,
    () => undefined,
  );
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-1000);
  });
  try {
    const streams = [pipeline(packed, child.stdin), pipeline(child.stdout, limited, fs.createWriteStream(path))];
    const outcomes = await Promise.race([Promise.allSettled(streams), failed]);
    if (outcomes instanceof Error)
      throw new RegError(
        "ENOTSUP",
        `${name}: a layer is compressed by zstd, and zstd can not be run: ${outcomes.message}`,
        {
          hint: "install Debian's package zstd; or skopeo copy --dest-compress-format gzip makes an image that needs none",
        },
      );
    for (const outcome of outcomes)
      if (outcome.status === "rejected" && outcome.reason instanceof RegError) throw outcome.reason;
    await ended;
    if (child.exitCode !== 0)
      throw new RegError("EBADMSG", `${name}: zstd can not unpack a layer: ${printable(said.trim())}`);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  } finally {
    child.kill("SIGKILL");
  }
}
