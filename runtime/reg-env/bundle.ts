/** An environment as an OCI bundle: a root filesystem of its own and a config.json, for any runtime. */
import * as fs from "node:fs";
import { checked } from "../libc/call.ts";
import { libc } from "../libc/libc.ts";
import { fromHex } from "../reg/copy.ts";
import { objectPath } from "../reg/layout.ts";
import type { Entry, FileEntry, Manifest } from "../reg/manifest.ts";
import { mergeUnits } from "../reg/merge.ts";
import type { Owner } from "../reg/owners.ts";
import { readUnit } from "../reg/tree.ts";
import { makeConfig } from "./config.ts";
import { FIXED_MTIME } from "./store/header.ts";
import { type Store, withShared } from "./store/store.ts";
import { readerIn, resolveUser } from "./user.ts";

/** Writes the bundle into a new directory. Its files are copies, as a container may write to them. */
export function writeBundle(store: Store, manifest: Manifest, directory: string): Promise<void> {
  return withShared(store, () => {
    fs.mkdirSync(directory, { mode: 0o755 });
    const root = `${directory}/rootfs`;
    fs.mkdirSync(root, { mode: 0o755 });
    const entries = mergeUnits(manifest.units.map(({ digest }) => readUnit(store.directory, digest)));
    for (const entry of entries) writeEntry(store, root, entry);
    for (const made of [directory, root]) fs.chmodSync(made, 0o755); // whatever the umask
    // Backwards: a directory gets its mode when everything is in it.
    for (const entry of entries.toReversed())
      if (entry.type === "directory") fs.chmodSync(`${root}/${entry.path}`, entry.mode);
    const { command } = manifest;
    const config = {
      ...makeConfig({
        command,
        terminal: false,
        readonlyRoot: false,
        hostNetwork: false,
        ...(command.user === undefined ? {} : { user: resolveUser(command.user, readerIn(root)) }),
      }),
      // crun 1.8 refuses newer ones, and there is nothing of them in it.
      ociVersion: "1.0.2",
    };
    fs.writeFileSync(`${directory}/config.json`, `${JSON.stringify(config, undefined, 2)}\n`);
  });
}

function writeEntry(store: Store, root: string, entry: Entry): void {
  const path = `${root}/${entry.path}`;
  if (entry.type === "file") {
    copyFile(objectPath(store.directory, entry.object), path, entry, store.owners.onDisk(entry, entry.path));
    return;
  }
  if (entry.type === "directory") fs.mkdirSync(path, { mode: 0o700 });
  else fs.symlinkSync(entry.target, path);
  const { uid, gid } = store.owners.onDisk(entry, entry.path);
  fs.lchownSync(path, uid, gid);
}

/** Shares its blocks where the filesystem can (reflink), but not its memory. */
function copyFile(from: string, to: string, entry: FileEntry, { uid, gid }: Owner): void {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(to, 0o600);
  const fd = fs.openSync(to, "r+");
  try {
    fs.fchownSync(fd, uid, gid);
    for (const [name, value] of Object.entries(entry.xattrs ?? {})) {
      const bytes = fromHex(value);
      checked(libc.fsetxattr(fd, name, bytes, bytes.length, 0), "fsetxattr(2)", `${name} of ${to}`);
    }
    fs.fchmodSync(fd, entry.mode); // last: chown clears the setuid bit
    const mtime = entry.mtime ?? FIXED_MTIME;
    fs.futimesSync(fd, mtime, mtime);
  } finally {
    fs.closeSync(fd);
  }
}
