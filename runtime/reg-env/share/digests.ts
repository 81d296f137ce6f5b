/**
 * The digests of files, remembered from run to run. A file that has the same inode, size, and times of change is the same file, as nobody can
 * set the time of its last change (ctime): so a store is read once.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { dirname } from "node:path";
import { host } from "#host";
import { EOPNOTSUPP } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import { libc } from "../../libc/libc.ts";
import type { Inode } from "./scan.ts";

const BLOCK_BYTES = 1024 * 1024;
/** XATTR_SIZE_MAX, XATTR_LIST_MAX of xattr(7) */
const XATTR_BYTES = 65_536;
const HEADER = "reg-env share: digests, version 1\n";
const DIGEST = /^[0-9a-f]{64}$/;

export class Digests {
  readonly #path: string;
  readonly #known: Map<string, string>;
  readonly #used = new Map<string, string>();
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES);
  readonly #names = new Uint8Array(XATTR_BYTES);
  readonly #value = new Uint8Array(XATTR_BYTES);
  /** How much was read, for reports. */
  readBytes = 0;

  /** Reads what was remembered at `path`; a file that others could have written is not believed. */
  constructor(path: string) {
    this.#path = path;
    this.#known = load(path);
  }

  /** SHA-256 of content and extended attributes of the open file `fd`, of which `inode` is the status. */
  of(device: number, inode: Inode, fd: number): string {
    const key = keyOf(device, inode);
    let digest = this.#known.get(key) ?? this.#used.get(key);
    if (digest === undefined) {
      digest = this.#read(fd);
      this.readBytes += inode.sizeBytes;
    }
    this.#used.set(key, digest);
    return digest;
  }

  /** As `of`, when it need not be read. */
  remembered(device: number, inode: Inode): string | undefined {
    const key = keyOf(device, inode);
    const digest = this.#known.get(key);
    if (digest !== undefined) this.#used.set(key, digest);
    return digest;
  }

  /** The file has got another number of links, and so another ctime. */
  changed(device: number, before: Inode, after: Inode): void {
    const digest = this.#used.get(keyOf(device, before));
    this.#used.delete(keyOf(device, before));
    if (digest !== undefined) this.#used.set(keyOf(device, after), digest);
  }

  /** Writes what was used, and so forgets the files that are gone. */
  save(): void {
    const lines = [...this.#used].map(([key, digest]) => `${key} ${digest}\n`);
    fs.mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.${process.pid}`;
    fs.rmSync(temporary, { force: true });
    fs.writeFileSync(temporary, HEADER + lines.join(""), { flag: "wx", mode: 0o600 });
    fs.renameSync(temporary, this.#path);
  }

  #read(fd: number): string {
    const hash = createHash("sha256");
    for (let at = 0; ; ) {
      const count = fs.readSync(fd, this.#block, 0, BLOCK_BYTES, at);
      if (count === 0) break;
      hash.update(this.#block.subarray(0, count));
      at += count;
    }
    const attributes = this.#attributes(fd);
    const content = hash.digest("hex");
    return attributes === "" ? content : createHash("sha256").update(`${content}\n${attributes}`).digest("hex");
  }

  /** All of them, with those that belong to this machine or to overlayfs: links have them in common. */
  #attributes(fd: number): string {
    const length = libc.flistxattr(fd, this.#names, XATTR_BYTES);
    if (length === 0 || (length === -1 && host.errno() === EOPNOTSUPP)) return "";
    if (length === -1) throw new SyscallError("flistxattr(2)", `descriptor ${fd}`, host.errno());
    const names = host
      .decode(this.#names.subarray(0, length - 1))
      .split("\0")
      .sort();
    return names
      .map((name) => {
        const size = libc.fgetxattr(fd, name, this.#value, XATTR_BYTES);
        if (size === -1) throw new SyscallError("fgetxattr(2)", name, host.errno());
        return `${name}=${Buffer.from(this.#value.subarray(0, size)).toString("hex")}`;
      })
      .join("\n");
  }
}

function keyOf(device: number, { number, sizeBytes, mtimeNs, ctimeNs }: Inode): string {
  return `${device} ${number} ${sizeBytes} ${mtimeNs} ${ctimeNs}`;
}

function load(path: string): Map<string, string> {
  const known = new Map<string, string>();
  const text = readOwn(path);
  if (text === undefined || !text.startsWith(HEADER)) return known;
  for (let at = HEADER.length; at < text.length; ) {
    const end = text.indexOf("\n", at);
    const space = text.lastIndexOf(" ", end);
    if (end === -1 || space <= at) break; // cut off: the rest is read again
    const digest = text.slice(space + 1, end);
    if (DIGEST.test(digest)) known.set(text.slice(at, space), digest);
    at = end + 1;
  }
  return known;
}

/** undefined when there is none, or when somebody else may have written it: it says which files are equal. */
function readOwn(path: string): string | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ELOOP") return undefined;
    throw error;
  }
  try {
    const status = fs.fstatSync(fd);
    const isOurs = status.isFile() && status.uid === process.geteuid?.() && (status.mode & 0o022) === 0;
    return isOurs ? fs.readFileSync(fd, "latin1") : undefined;
  } finally {
    fs.closeSync(fd);
  }
}
