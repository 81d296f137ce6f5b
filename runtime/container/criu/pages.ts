/**
 * Whether a checkpoint has the memory that it speaks of. CRIU (as of 4.2) asks for ever for what a file of pages that was cut off does not
 * have, so a restore is refused beforehand. Source: CRIU images/pagemap.proto, criu/pagemap.c.
 */
import { RegError } from "../../errors/errors.ts";
import { statIfExists } from "../../libc/file.ts";
import { decode, type MessageTable } from "../../linux/protobuf.ts";
import { messagesOf, processesOf } from "./images.ts";

const HEAD = { pagesId: [1, "uint"] } as const satisfies MessageTable;
const ENTRY = {
  olderPages: [2, "uint"],
  inParent: [3, "bool"],
  flags: [4, "uint"],
  pages: [5, "uint"],
} as const satisfies MessageTable;

/** Pages are in the checkpoint's own file; of one that was saved incrementally, or lazily, others are elsewhere. */
const PRESENT = 1 << 2;
const PARENT = 1 << 0;
/** The smallest there are: where they are larger, less is found out. */
const PAGE_BYTES = 4096;

/** Throws RegError EINVAL when a file of pages is shorter than what lies in it. What is not there is CRIU's to miss. */
export function checkPages(images: number): void {
  const wanted = new Map<number, number>();
  // A directory may have files of an earlier checkpoint, too: its processes tell which count.
  for (const { pid, ended } of processesOf(images)) {
    if (ended) continue;
    const { pagesId, bytes } = readPagemap(messagesOf(images, `pagemap-${pid}.img`));
    if (pagesId !== undefined) wanted.set(pagesId, (wanted.get(pagesId) ?? 0) + bytes);
  }
  for (const [id, bytes] of wanted) {
    const name = `pages-${id}.img`;
    const size = statIfExists(name, images)?.sizeBytes;
    if (size === undefined || size >= bytes) continue;
    throw new RegError("EINVAL", `the checkpoint's file ${name} was cut off: it has ${size} bytes of ${bytes}`, {
      hint: "copy the checkpoint once more, whole",
    });
  }
}

/** The file that a pagemap is about, and how much of it. */
function readPagemap([head, ...entries]: readonly Uint8Array[]): { pagesId: number | undefined; bytes: number } {
  let pages = 0;
  for (const message of entries) {
    const { flags, inParent, pages: count, olderPages } = decode(ENTRY, message);
    const own = flags === 0 ? !inParent : (flags & PRESENT) !== 0 && (flags & PARENT) === 0;
    if (own) pages += count || olderPages;
  }
  return { pagesId: head === undefined ? undefined : decode(HEAD, head).pagesId, bytes: pages * PAGE_BYTES };
}
