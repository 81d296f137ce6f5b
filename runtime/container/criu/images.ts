/**
 * The files that CRIU makes of a container, one for each kind of thing and process. Source: CRIU criu/include/image.h, images/pstree.proto,
 * images/core.proto.
 */
import * as C from "../../libc/constants.ts";
import { open, readAll, statIfExists, unlink, withFd } from "../../libc/file.ts";
import { decode, type MessageTable } from "../../linux/protobuf.ts";

const PROCESS = { pid: [1, "uint"] } as const satisfies MessageTable;
const CORE = { task: [3, { state: [1, "uint"] }] } as const satisfies MessageTable;

/** TASK_DEAD and TASK_ZOMBIE of criu/include/pid.h. */
const ENDED = [2, 6];
/** Before the first message: two numbers that say what file it is. */
const MAGIC_BYTES = 8;

/** The processes of a checkpoint. One that has ended, and that nobody has waited for yet, has no memory any more. */
export function processesOf(images: number): { readonly pid: number; readonly ended: boolean }[] {
  return messagesOf(images, "pstree.img").map((message) => {
    const { pid } = decode(PROCESS, message);
    const [core] = messagesOf(images, `core-${pid}.img`);
    return { pid, ended: core !== undefined && ENDED.includes(decode(CORE, core).task?.state ?? 0) };
  });
}

/** The messages of an image; none of one that is not there. What was cut off itself is for CRIU to refuse. */
export function messagesOf(images: number, name: string): Uint8Array[] {
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

/**
 * Removes what an earlier checkpoint in the same directory had of processes that have ended since, and that nobody has waited for: CRIU (as of
 * 4.2) writes no such files of them, but would read these, and fail.
 */
export function removeEarlier(images: number): void {
  for (const { pid, ended } of processesOf(images))
    if (ended) for (const kind of ["ids", "mm", "pagemap", "fs"]) unlink(`${kind}-${pid}.img`, images);
}
