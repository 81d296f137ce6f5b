/** What a process in a container cannot do for itself, being inside: its id maps, its score for the OOM killer, the owner of its output. */
import { EACCES, EPERM } from "../errors/errno.ts";
import { at } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { isErrno, readText, stat, writeText } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";

/** What a user may not set, as any value below the present one, is left as it is. */
export function adjustOomScore(pid: number, score: number): void {
  const path = `/proc/${pid}/oom_score_adj`;
  if (readText(path).trim() === String(score)) return; // to set it again takes rights that the first time did not
  try {
    writeText(path, String(score));
  } catch (error) {
    if (libc.geteuid() === 0 || !isErrno(error, EACCES, EPERM)) throw error;
  }
}

/** user_namespaces(7): an unprivileged caller maps one id, its own, and must give up setgroups(2) before. */
export function writeIdMaps(pid: number, uidMap: string, gidMap: string): void {
  if (libc.geteuid() !== 0) writeText(`/proc/${pid}/setgroups`, "deny");
  at("/linux/uidMappings", () => writeText(`/proc/${pid}/uid_map`, uidMap));
  at("/linux/gidMappings", () => writeText(`/proc/${pid}/gid_map`, gidMap));
}

/**
 * Gives the standard descriptors to the user of the process, so that programs can reopen /dev/stdout, when the process is in a user namespace
 * that does not have their owner (otherwise it does that itself). The maps of the namespace are in force. Only root can; a terminal of the
 * caller's stays as it is.
 */
export function giveStandardDescriptors(pid: number, uid: number): void {
  if (libc.geteuid() !== 0) return;
  const map = readText(`/proc/${pid}/uid_map`);
  const outside = outsideId(map, uid);
  if (outside === undefined) return;
  for (const fd of [0, 1, 2]) {
    const status = stat("", fd);
    if (status.type === C.S_IFCHR || status.uid === outside) continue;
    libc.fchown(fd, outside, C.UNCHANGED); // where it is not allowed, as on a read-only filesystem, the descriptor itself still works
  }
}

/** The id outside that a map gives to one inside. */
function outsideId(map: string, id: number): number | undefined {
  for (const line of map.split("\n")) {
    const [inside = 0, outside = 0, size = 0] = line.split(" ").filter(Boolean).map(Number);
    if (id >= inside && id < inside + size) return outside + id - inside;
  }
  return undefined;
}
