/**
 * eBPF: a small assembler, loading a program, and attaching it to a cgroup. Source: bpf(2), bpf-cgroup;
 * kernel bpf/standardization/instruction-set.rst.
 */
import { host } from "#host";
import { EINVAL, EPERM } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cString, Struct } from "../libc/memory.ts";

export const R0 = 0;
export const R1 = 1;
export const R2 = 2;
export const R3 = 3;
export const R4 = 4;
export const R5 = 5;

/** A place in a program that jumps lead forward to. */
export interface Label {
  readonly jumps: number[];
}

/** Writes instructions one after the other; each is 8 bytes: opcode, registers, 16-bit offset, 32-bit constant. */
export class BpfProgram {
  readonly #words: number[] = [];

  #emit(opcode: number, destination: number, source: number, offset: number, constant: number): this {
    this.#words.push((offset << 16) | (source << 12) | (destination << 8) | opcode, constant);
    return this;
  }
  /** destination = *(u32 *)(source + offset) */
  load32(destination: number, source: number, offset: number): this {
    return this.#emit(0x61, destination, source, offset, 0);
  }
  and32(register: number, constant: number): this {
    return this.#emit(0x54, register, 0, 0, constant);
  }
  shiftRight32(register: number, bits: number): this {
    return this.#emit(0x74, register, 0, 0, bits);
  }
  copy32(destination: number, source: number): this {
    return this.#emit(0xbc, destination, source, 0, 0);
  }
  set(register: number, constant: number): this {
    return this.#emit(0xb7, register, 0, 0, constant);
  }
  exit(): this {
    return this.#emit(0x95, 0, 0, 0, 0);
  }
  label(): Label {
    return { jumps: [] };
  }
  #jump(opcode: number, register: number, source: number, constant: number, to: Label): this {
    to.jumps.push(this.#words.length);
    return this.#emit(opcode, register, source, 0, constant);
  }
  jumpIf(register: number, constant: number, to: Label): this {
    return this.#jump(0x15, register, 0, constant, to);
  }
  jumpUnless(register: number, constant: number, to: Label): this {
    return this.#jump(0x55, register, 0, constant, to);
  }
  jumpUnlessSame(register: number, other: number, to: Label): this {
    return this.#jump(0x5d, register, other, 0, to);
  }
  /** The label is here: the jumps to it get their offsets. */
  place(label: Label): void {
    for (const at of label.jumps)
      this.#words[at] = ((this.#words[at] ?? 0) & 0xffff) | (((this.#words.length - at) / 2 - 1) << 16);
  }
  finish(): Uint8Array {
    return new Uint8Array(new Int32Array(this.#words).buffer);
  }
}

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_DETACH = 9;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_PROG_QUERY = 16;
const PROG_TYPE_CGROUP_DEVICE = 15;
const ATTACH_CGROUP_DEVICE = 6;
const F_ALLOW_MULTI = 2;
const F_REPLACE = 4;
const ATTRIBUTE_SIZE = 128;
const RLIMIT_MEMLOCK = 8;

function bpf(command: number, attribute: Struct): number {
  return libc.syscall(C.SYS_bpf, command, attribute.bytes, ATTRIBUTE_SIZE, 0, 0);
}

/** The kernel asks for a licence; kept here, because a struct holds only its address. */
const LICENSE = cString("MIT");

/** Loads a cgroup_device program. Returns its descriptor. Linux 4.15. */
function loadDeviceProgram(instructions: Uint8Array): number {
  const attribute = new Struct(ATTRIBUTE_SIZE)
    .setU32(0, PROG_TYPE_CGROUP_DEVICE)
    .setU32(4, instructions.length / 8)
    .setPointer(8, instructions)
    .setPointer(16, LICENSE);
  let fd = bpf(BPF_PROG_LOAD, attribute);
  let errno = fd === -1 ? host.errno() : 0;
  if (errno === EPERM) {
    // Before Linux 5.11 a program counts as locked memory. The old limit comes back, because containers inherit it.
    const old = new Struct(16);
    if (libc.prlimit(0, RLIMIT_MEMLOCK, new Struct(16).setU64(0, -1).setU64(8, -1).bytes, old.bytes) === 0) {
      fd = bpf(BPF_PROG_LOAD, attribute);
      errno = fd === -1 ? host.errno() : 0;
      libc.prlimit(0, RLIMIT_MEMLOCK, old.bytes, null);
    }
  }
  if (errno === 0) return fd; // bpf(2) itself sets close-on-exec
  throw new SyscallError("bpf(2)", `BPF_PROG_LOAD of ${instructions.length / 8} instructions`, errno, {
    hint: "to limit access to devices, the kernel needs CONFIG_CGROUP_BPF, and reg CAP_BPF or CAP_SYS_ADMIN",
  });
}

/** Ids of the device programs that are attached to the cgroup itself. */
function attachedPrograms(cgroup: number): number[] {
  const ids = new Struct(64 * 4);
  const attribute = new Struct(ATTRIBUTE_SIZE)
    .setU32(0, cgroup)
    .setU32(4, ATTACH_CGROUP_DEVICE)
    .setPointer(16, ids.bytes)
    .setU32(24, 64);
  if (bpf(BPF_PROG_QUERY, attribute) === -1) {
    if (host.errno() === EINVAL || host.errno() === EPERM) return []; // before Linux 4.15; or not allowed to look
    throw new SyscallError("bpf(2)", "BPF_PROG_QUERY", host.errno());
  }
  return Array.from({ length: attribute.u32(24) }, (_, index) => ids.u32(index * 4));
}

/**
 * Makes `instructions` the only device program of an open cgroup v2 directory. A program that is there is replaced in one
 * step, so that there is no moment without any. Throws SyscallError.
 */
export function setDeviceProgram(cgroup: number, instructions: Uint8Array): void {
  const program = loadDeviceProgram(instructions);
  const old: number[] = [];
  try {
    for (const id of attachedPrograms(cgroup)) {
      const fd = bpf(BPF_PROG_GET_FD_BY_ID, new Struct(ATTRIBUTE_SIZE).setU32(0, id));
      if (fd !== -1) old.push(fd);
    }
    const attach = (flags: number, replaced: number) =>
      bpf(
        BPF_PROG_ATTACH,
        new Struct(ATTRIBUTE_SIZE)
          .setU32(0, cgroup)
          .setU32(4, program)
          .setU32(8, ATTACH_CGROUP_DEVICE)
          .setU32(12, flags)
          .setU32(16, replaced),
      );
    const [only] = old;
    if (only !== undefined && old.length === 1 && attach(F_ALLOW_MULTI | F_REPLACE, only) === 0) return; // Linux 5.6
    if (attach(F_ALLOW_MULTI, 0) === -1) throw new SyscallError("bpf(2)", "BPF_PROG_ATTACH", host.errno());
    for (const fd of old)
      bpf(BPF_PROG_DETACH, new Struct(ATTRIBUTE_SIZE).setU32(0, cgroup).setU32(4, fd).setU32(8, ATTACH_CGROUP_DEVICE));
  } finally {
    for (const fd of old) close(fd);
    close(program);
  }
}
