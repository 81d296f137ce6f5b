/** Waits for images that come into stores: the kernel tells, by inotify(7), when an engine writes its records. */
import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ImageStore } from "./stores/store.ts";

/** A pull makes one layer after the other: it is over when this long nothing has happened. */
const QUIET_MS = 5_000;

export interface WatchOptions {
  readonly signal: AbortSignal;
  readonly quietMs?: number;
  /** Called for each store at the beginning, and for one that has new layers. */
  readonly onNewLayers: (store: ImageStore) => Promise<void>;
}

/** Ends when `signal` is aborted. Throws what `onNewLayers` throws, and when a watched directory goes away. */
export async function watchStores(stores: readonly ImageStore[], options: WatchOptions): Promise<void> {
  await Promise.all(stores.map((store) => watchStore(store, options)));
}

async function watchStore(store: ImageStore, { signal, quietMs = QUIET_MS, onNewLayers }: WatchOptions): Promise<void> {
  // Before the first look, so that nothing falls between the two.
  const changes = new Changes(store.watched, signal);
  try {
    let known = new Set<string>();
    while (!signal.aborted) {
      const now = layersOf(store);
      if ([...now].some((id) => !known.has(id))) await onNewLayers(store);
      known = now;
      await changes.next();
      do changes.forget();
      while (await changes.within(quietMs));
    }
  } finally {
    changes.close();
  }
}

/** Containers come and go in the same directories: only layers of images count. */
function layersOf(store: ImageStore): Set<string> {
  return new Set(store.read([], []).layers.map(({ id }) => id));
}

class Changes {
  readonly #watchers: fs.FSWatcher[];
  readonly #signal: AbortSignal;
  #happened = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(directories: readonly string[], signal: AbortSignal) {
    this.#signal = signal;
    this.#watchers = directories.map((directory) =>
      fs
        .watch(directory, () => this.#tell())
        .on("error", (error) => {
          this.#error = error;
          this.#tell();
        }),
    );
    signal.addEventListener("abort", () => this.#tell());
  }

  forget(): void {
    this.#happened = false;
  }

  /** Waits for the next change, or the end. */
  async next(): Promise<void> {
    if (!this.#happened && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#error !== undefined) throw this.#error;
  }

  /** Whether something changes in this time. */
  async within(milliseconds: number): Promise<boolean> {
    const timer = new AbortController();
    const quiet = sleep(milliseconds, false, { signal: timer.signal }).catch(() => false);
    const changed = await Promise.race([quiet, this.next().then(() => true)]);
    timer.abort();
    return changed && !this.#signal.aborted;
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
  }

  #tell(): void {
    this.#happened = true;
    this.#wake();
  }
}
