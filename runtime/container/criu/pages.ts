/**
 * Whether a checkpoint has the memory that it speaks of, and no other. CRIU (as of 4.2) asks for ever for what a file of pages that was cut off does not
 * have, so a restore is refused beforehand. Source: CRIU images/pagemap.proto, images/core.proto, criu/include/image.h, criu/pagemap.c.
 */
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { open, readAll, statIfExists, unlink, withFd } from "../../libc/file.ts";
import { decode, type MessageTable } from "../../linux/protobuf.ts";

const PROCESS = { pid: [1, "uint"] } as const satisfies MessageTable;
const CORE = { task: [3, { state: [1, "uint"] }] } as const satisfies MessageTable;
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
/** TASK_DEAD and TASK_ZOMBIE of criu/include/pid.h. */
const ENDED = [2, 6];
/** The smallest there are: where they are larger, less is found out. */
const PAGE_BYTES = 4096;
/** Before the first entry: two numbers that say what file it is. */
const MAGIC_BYTES = 8;

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

/**
 * Removes what an earlier checkpoint in the same directory had of processes that have ended since, and that nobody has waited for: CRIU (as of
 * 4.2) writes no such files of them, but would read these, and fail.
 */
export function removeEarlier(images: number): void {
  for (const { pid, ended } of processesOf(images))
    if (ended) for (const kind of ["ids", "mm", "pagemap", "fs"]) unlink(`${kind}-${pid}.img`, images);
}

function processesOf(images: number): { readonly pid: number; readonly ended: boolean }[] {
  return messagesOf(images, "pstree.img").map((message) => {
    const { pid } = decode(PROCESS, message);
    const [core] = messagesOf(images, `core-${pid}.img`);
    return { pid, ended: core !== undefined && ENDED.includes(decode(CORE, core).task?.state ?? 0) };
  });
}

/** The messages of an image; none of one that is not there. What was cut off itself is for CRIU to refuse. */
function messagesOf(images: number, name: string): Uint8Array[] {
  if (statIfExists(name, images) === undefined) return [];
  const fd = open(name, C.O_RDONLY | C.O_NOFOLLOW, 0, images);
  const image = withFd(fd, () => readAll(fd, name));
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const messages: Uint8Array[] = [];
  for (let at = MAGIC_BYTES; at + 4 <= image.length; ) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > image.length) break;
    messages.push(image.subarray(at + 4, end));
    at = end;
  }
  return messages;
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
