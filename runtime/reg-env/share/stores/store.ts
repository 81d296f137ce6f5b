/** What all image stores have in common: directories of layers, some of them read-only, and a way to know which are mounted. */
import type { MountTable } from "../../mount-tables.ts";

/** A layer of an image: a directory whose files no engine changes any more. */
export interface Layer {
  /** As the engine names it. */
  readonly id: string;
  /** Its content: a path below the store's `base`. */
  readonly directory: string;
  /**
   * free: may be worked on; mounted: it is part of a mounted filesystem now; excluded: somebody wants it left alone. The last two are
   * still looked at, as the files of a free layer may have links there.
   */
  readonly state: "free" | "mounted" | "excluded";
}

/** A way to leave images out. */
export type Exclusion =
  | { readonly kind: "label"; readonly name: string; readonly value: string | undefined }
  | { readonly kind: "namespace"; readonly name: string }
  | { readonly kind: "image"; readonly name: string };

export interface StoreState {
  /** Each directory once. */
  readonly layers: readonly Layer[];
  /** What makes it impossible to say which layers are mounted: then all of them count as mounted. */
  readonly unclear?: string;
  /** Layers count as mounted as a path was not found by which something was mounted: it may have gone since, and another look tell more. */
  readonly supposed?: boolean;
}

/** An image store of some engine. */
export interface ImageStore {
  /** How messages name it: "podman", "docker" ... */
  readonly engine: string;
  /** As it was asked for, or found. */
  readonly root: string;
  /** The directory, in one mount, that has all layers. What share makes while it works is there too, in a place where the engine does not look. */
  readonly base: string;
  /** The file whose record lock (fcntl(2)) the engine holds while it changes or mounts layers. */
  readonly lockFile?: string;
  /** Directories in which something changes when an image comes in. */
  readonly watched: readonly string[];
  /** Reads the engine's records and the mount tables given. Throws RegError for records that it can not read. */
  read(exclusions: readonly Exclusion[], mountTables: readonly MountTable[]): StoreState;
}
