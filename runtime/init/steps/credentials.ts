/** Who the process is and what it may do. The order is the kernel's: see capabilities(7), "Effect of user ID changes". */
import { host } from "#host";
import { EINVAL, EPERM } from "../../errors/errno.ts";
import { at, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { stat } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { prctl } from "../../libc/process.ts";
import { CAP_DATA, CAP_HEADER, RLIMIT } from "../../libc/structs.ts";
import { CAPABILITY_NAMES, hasCapability, LINUX_CAPABILITY_VERSION_3 } from "../../linux/capability.ts";
import type { CapabilityPlan, ProcessPlan } from "../../oci/plan/process.ts";

/** Drops from the bounding set what the process may never have again. Needs CAP_SETPCAP, so it comes before the user changes. */
export function dropBoundingSet({ bounding }: CapabilityPlan): void {
  for (let number = 0; number < 64; number++) {
    if (hasCapability(bounding, number)) continue;
    if (libc.prctl(C.PR_CAPBSET_DROP, number, 0, 0, 0) === 0) continue;
    const errno = host.errno();
    if (errno === EINVAL && number >= 37) return; // the kernel's last capability has been passed
    if (errno === EPERM && libc.prctl(C.PR_CAPBSET_READ, number, 0, 0, 0) === 0) continue;
    throw new SyscallError("prctl(2)", `PR_CAPBSET_DROP ${CAPABILITY_NAMES[number] ?? number}`, errno, {
      field: "/process/capabilities/bounding",
    });
  }
}

/**
 * Supplementary groups, group and user; capabilities survive the change until setCapabilities. `isDenied` says whether the user
 * namespace does without setgroups(2), user_namespaces(7): then there are no groups to give up either.
 */
export function changeUser({ uid, gid, groups }: ProcessPlan, isDenied: () => boolean): void {
  prctl(C.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", 1);
  if (groups !== undefined) setGroups(groups, isDenied);
  if (libc.setresgid(gid, gid, gid) === -1)
    throw new SyscallError("setresgid(2)", `${gid}`, host.errno(), { field: "/process/user/gid" });
  if (libc.setresuid(uid, uid, uid) === -1)
    throw new SyscallError("setresuid(2)", `${uid}`, host.errno(), { field: "/process/user/uid" });
  prctl(C.PR_SET_KEEPCAPS, "PR_SET_KEEPCAPS", 0);
}

function setGroups(groups: readonly number[], isDenied: () => boolean): void {
  const list = new Struct(groups.length * 4);
  groups.forEach((group, index) => {
    list.setU32(index * 4, group);
  });
  if (libc.setgroups(groups.length, list.bytes) === 0) return;
  const errno = host.errno();
  if (errno === EPERM && groups.length === 0 && isDenied()) return;
  throw new SyscallError("setgroups(2)", groups.join(" "), errno, { field: "/process/user/additionalGids" });
}

/** Sets the effective, permitted, inheritable and ambient sets. */
export function setCapabilities({ effective, permitted, inheritable, ambient }: CapabilityPlan): void {
  const header = new Struct(CAP_HEADER.size).setU32(CAP_HEADER.version, LINUX_CAPABILITY_VERSION_3);
  const data = new Struct(2 * CAP_DATA.size);
  for (const [index, half] of (["low", "high"] as const).entries())
    data
      .setU32(index * CAP_DATA.size + CAP_DATA.effective, effective[half])
      .setU32(index * CAP_DATA.size + CAP_DATA.permitted, permitted[half])
      .setU32(index * CAP_DATA.size + CAP_DATA.inheritable, inheritable[half]);
  at("/process/capabilities", () =>
    checked(libc.syscall(C.SYS_capset, header.bytes, data.bytes, 0, 0, 0), "capset(2)", "the process's sets"),
  );
  // What the caller had as ambient would stay where it is permitted and inheritable. EINVAL before Linux 4.3, which has none.
  libc.prctl(C.PR_CAP_AMBIENT, C.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // The kernel refuses what is not inheritable and permitted. Buildah asks for it all the same; runc goes on without, too.
  const raised = {
    low: ambient.low & inheritable.low & permitted.low,
    high: ambient.high & inheritable.high & permitted.high,
  };
  if ((raised.low | raised.high) === 0) return;
  for (let number = 0; number < CAPABILITY_NAMES.length; number++)
    if (hasCapability(raised, number))
      at("/process/capabilities/ambient", () =>
        prctl(C.PR_CAP_AMBIENT, `PR_CAP_AMBIENT_RAISE ${CAPABILITY_NAMES[number]}`, C.PR_CAP_AMBIENT_RAISE, number),
      );
}

/** Resource limits. Before the user changes: only root may raise a hard limit, and only the same user may set any. */
export function setRlimits({ rlimits }: ProcessPlan): void {
  for (const { resource, name, soft, hard, field } of rlimits) {
    const limit = new Struct(RLIMIT.size).setU64(RLIMIT.rlim_cur, rlimit(soft)).setU64(RLIMIT.rlim_max, rlimit(hard));
    at(field, () => checked(libc.prlimit(0, resource, limit.bytes, null), "prlimit(2)", name));
  }
}

/** RLIM_INFINITY is 2^64 - 1, which a double rounds to 2^64. */
function rlimit(value: number): number {
  return value >= 2 ** 63 ? -1 : value;
}

/** Gives the standard descriptors to the user, so that programs can reopen /dev/stdout (as runc). */
export function ownStandardDescriptors({ uid }: ProcessPlan): void {
  if (uid === 0) return;
  for (const fd of [0, 1, 2]) {
    const status = stat("", fd);
    const isNull = status.type === C.S_IFCHR && status.rdevMajor === 1 && status.rdevMinor === 3;
    // Where it is not allowed (a read-only filesystem, an id that is not mapped), the descriptor itself still works.
    if (!isNull && status.uid !== uid) libc.fchown(fd, uid, C.UNCHANGED);
  }
}
