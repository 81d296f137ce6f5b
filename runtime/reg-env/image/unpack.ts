/**
 * The layers of an image, one after the other, as one root filesystem in a directory. Every path is resolved inside it, whatever symbolic links
 * earlier layers made. Source: image-spec layer.md, "Applying Changesets".
 */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { open, openat2, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Owners } from "../../reg/owners.ts";
import { block } from "../store/hash.ts";
import type { Image, Part } from "./open.ts";
import { type FoundEntry, readTar } from "./tar.ts";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
const AT_SYMLINK_FOLLOW = 0x400;
const INSIDE = C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS;

/** Fills an empty directory; users can do that with an image whose files are all of root. Devices are left out: environments have none. */
export async function unpackImage(
  image: Image,
  directory: string,
  onLayer: (done: number) => Promise<void> | void,
): Promise<void> {
  const root = open(directory, C.O_RDONLY | C.O_DIRECTORY);
  const owners = new Owners();
  try {
    for (let index = 0; index < image.layers; index++) {
      applyLayer(root, await image.openLayer(index), image.name, owners);
      await onLayer(index + 1);
    }
  } finally {
    fs.closeSync(root);
  }
}

function applyLayer(root: number, { fd, start, end }: Part, name: string, owners: Owners): void {
  const own = new Set<string>();
  /** Folders get their mode when all is in them. */
  const folders: FoundEntry[] = [];
  for (const entry of readTar(fd, name, start, end)) {
    const parts = entry.path.split("/");
    if (entry.path === "" || parts.some((part) => part === "." || part === "")) continue;
    if (parts.includes(".."))
      throw new RegError("EINVAL", `${name}: an entry's path has ..: ${JSON.stringify(entry.path)}`);
    const base = parts.at(-1) ?? "";
    const parent = openParent(root, parts.slice(0, -1));
    try {
      if (base === OPAQUE) {
        for (const child of fs.readdirSync(`/proc/self/fd/${parent}`))
          if (!own.has([...parts.slice(0, -1), child].join("/"))) remove(parent, child);
      } else if (base.startsWith(WHITEOUT)) remove(parent, base.slice(WHITEOUT.length));
      else {
        own.add(entry.path);
        make(root, parent, base, entry, fd, owners);
        if (entry.type === "directory") folders.push(entry);
      }
    } finally {
      fs.closeSync(parent);
    }
  }
  for (const { path, mode, uid, gid } of folders.toReversed())
    withFd(openat2(root, path, C.O_RDONLY | C.O_DIRECTORY, INSIDE), (folder) => {
      const owner = owners.onDisk({ uid, gid }, path);
      fs.fchownSync(folder, owner.uid, owner.gid);
      fs.fchmodSync(folder, mode);
    });
}

/** Folders that no layer has told of are made. */
function openParent(root: number, parts: readonly string[]): number {
  let current = fs.openSync(`/proc/self/fd/${root}`, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  for (let count = 1; count <= parts.length; count++) {
    const path = parts.slice(0, count).join("/");
    let next: number;
    try {
      next = openat2(root, path, C.O_RDONLY | C.O_DIRECTORY, INSIDE);
    } catch {
      // A file, a link that leads nowhere, or nothing.
      remove(current, parts[count - 1] ?? "");
      checked(libc.mkdirat(current, parts[count - 1] ?? "", 0o755), "mkdirat(2)", path);
      next = openat2(root, path, C.O_RDONLY | C.O_DIRECTORY, INSIDE);
    }
    fs.closeSync(current);
    current = next;
  }
  return current;
}

function remove(parent: number, name: string): void {
  if (name === "" || name === "." || name === ".." || name.includes("/")) return;
  // Never through a link: rm removes a link itself.
  fs.rmSync(`/proc/self/fd/${parent}/${name}`, { recursive: true, force: true });
}

function make(root: number, parent: number, base: string, entry: FoundEntry, archive: number, owners: Owners): void {
  const at = `/proc/self/fd/${parent}/${base}`;
  const existing = fs.lstatSync(at, { throwIfNoEntry: false });
  if (entry.type === "directory") {
    if (existing?.isDirectory() === true) return;
    if (existing !== undefined) remove(parent, base);
    fs.mkdirSync(at, { mode: 0o700 });
    return;
  }
  if (existing !== undefined) remove(parent, base);
  if (entry.type === "symlink") {
    fs.symlinkSync(entry.target ?? "", at);
    const { uid, gid } = owners.onDisk(entry, entry.path);
    fs.lchownSync(at, uid, gid);
  } else if (entry.type === "hardlink") {
    const target = (entry.target ?? "").replace(/^(\.?\/)+/, "");
    withFd(openat2(root, target, C.O_PATH | C.O_NOFOLLOW, INSIDE), (fd) =>
      checked(libc.linkat(C.AT_FDCWD, `/proc/self/fd/${fd}`, parent, base, AT_SYMLINK_FOLLOW), "linkat(2)", entry.path),
    );
  } else if (entry.type === "file") writeFile(at, entry, archive, owners);
}

function writeFile(path: string, entry: FoundEntry, archive: number, owners: Owners): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for (let done = 0; done < entry.sizeBytes; ) {
      const count = fs.readSync(archive, block, 0, Math.min(block.length, entry.sizeBytes - done), entry.offset + done);
      if (count === 0) throw new RegError("EINVAL", `/${entry.path} ends too early in its layer`);
      fs.writeFileSync(fd, block.subarray(0, count));
      done += count;
    }
    const { uid, gid } = owners.onDisk(entry, entry.path);
    fs.fchownSync(fd, uid, gid);
    for (const [name, value] of Object.entries(entry.xattrs ?? {}))
      if (name === "security.capability" || name.startsWith("user."))
        checked(libc.fsetxattr(fd, name, value, value.length, 0), "fsetxattr(2)", `${name} of /${entry.path}`);
    fs.fchmodSync(fd, entry.mode); // last: chown clears the setuid bit
    fs.futimesSync(fd, entry.mtime, entry.mtime);
  } finally {
    fs.closeSync(fd);
  }
}
