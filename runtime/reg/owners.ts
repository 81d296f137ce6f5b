/**
 * Who owns the files of a store on the disk. Root's stores have the owners that units name. A user can own files only as the user: what units
 * give to root (0:0) is the user's there, and root's again in the user namespace of the user's containers. As root of a user namespace with more
 * ids (podman unshare) a user can give files to all of these.
 */
import { RegError } from "../errors/errors.ts";
import { stat } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** As this process sees it. Its ids do not change. */
export class Owners {
  readonly self: Owner = { uid: libc.geteuid(), gid: libc.getegid() };

  /** Whose a file of `owner` is on the disk. Throws RegError for those to whom a user can not give files. */
  onDisk(owner: Owner, path: string): Owner {
    if (this.self.uid === 0) return owner;
    if (owner.uid === 0 && owner.gid === 0) return this.self;
    throw new RegError(
      "EPERM",
      `/${path} belongs to ${owner.uid}:${owner.gid}, and a user's store has files of root alone`,
      {
        hint: "leave it out with --exclude, or have more ids: podman unshare reg-env ..., whose store is the same one",
      },
    );
  }

  /** Whom units name for a file of the store. */
  inUnit({ uid, gid }: Owner): Owner {
    if (this.self.uid === 0) return { uid, gid };
    return { uid: uid === this.self.uid ? 0 : uid, gid: gid === this.self.gid ? 0 : gid };
  }

  /**
   * Whom units name for a file of a root filesystem. A user's own files are root's in the user's containers; and in a user namespace root of the
   * host has no number of its own, but is whoever owns the root directory.
   */
  inUnitFrom(owner: Owner): Owner {
    this.#root ??= stat("/");
    const { uid, gid } = this.inUnit(owner);
    return { uid: uid === this.#root.uid ? 0 : uid, gid: gid === this.#root.gid ? 0 : gid };
  }
  #root: Owner | undefined;
}
