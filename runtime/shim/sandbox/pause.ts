/**
 * The program that holds a pod's namespaces: it ignores SIGCHLD, so that the kernel reaps what a shared pid namespace leaves to its first
 * process, and waits for ever. A static ELF file with nothing but that, of which a process takes two pages. Source: elf(5), sigaction(2), syscall(2).
 */
import { host } from "#host";
import { Struct } from "../../libc/memory.ts";

/** Its name in the root of its process. */
export const PAUSE = "/pause";

const SIGCHLD = 17;
const ADDRESS = 0x400000;
const HEADERS = 64 + 56;

/** A struct sigaction of the kernel's with SIG_IGN follows the code. */
const IGNORE = [1, ...Array<number>(31).fill(0)];

/** Little-endian words of the instructions. */
function words(...instructions: readonly number[]): number[] {
  return instructions.flatMap((word) => [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24]);
}

// biome-ignore format: an instruction a line
const CODE: Readonly<Record<typeof host.arch, readonly number[]>> = {
  x64: [
    0xbf, SIGCHLD, 0, 0, 0,             // mov edi, SIGCHLD
    0x48, 0x8d, 0x35, 24, 0, 0, 0,      // lea rsi, [rip + 24]: what follows the code
    0x31, 0xd2,                         // xor edx, edx
    0x41, 0xba, 8, 0, 0, 0,             // mov r10d, 8: the size of a set of signals
    0xb8, 13, 0, 0, 0,                  // mov eax, rt_sigaction
    0x0f, 0x05,                         // syscall
    0xb8, 34, 0, 0, 0,                  // mov eax, pause
    0x0f, 0x05,                         // syscall
    0xeb, 0xf7,                         // jmp to the instruction before the last but one
  ],
  arm64: words(
    0xd2800000 | (SIGCHLD << 5),        // mov x0, SIGCHLD
    0x10000001 | (13 << 5),             // adr x1, 13 instructions on: what follows the code
    0xd2800002,                         // mov x2, 0
    0xd2800003 | (8 << 5),              // mov x3, 8
    0xd2800008 | (134 << 5),            // mov x8, rt_sigaction
    0xd4000001,                         // svc 0
    0xd2800000,                         // mov x0, 0
    0xd2800001,                         // mov x1, 0
    0xd2800002,                         // mov x2, 0
    0xd2800003,                         // mov x3, 0
    0xd2800004,                         // mov x4, 0
    0xd2800008 | (73 << 5),             // mov x8, ppoll: without descriptors and time
    0xd4000001,                         // svc 0
    0x17fffff9,                         // b to the first mov after rt_sigaction
  ),
};

/** The file's content for this machine. */
export function pauseProgram(): Uint8Array {
  const arm = host.arch === "arm64";
  const code = [...CODE[host.arch], ...IGNORE];
  const length = HEADERS + code.length;
  const file = new Struct(length);
  file.bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian
  file
    .setU16(16, 2)
    .setU16(18, arm ? 183 : 62)
    .setU32(20, 1); // ET_EXEC, the machine, the version
  file.setU64(24, ADDRESS + HEADERS).setU64(32, 64); // e_entry, e_phoff
  file.setU16(52, 64).setU16(54, 56).setU16(56, 1); // sizes of the headers, one program header
  file.setU32(64, 1).setU32(68, 5); // PT_LOAD, to be read and executed
  file.setU64(80, ADDRESS).setU64(88, ADDRESS).setU64(96, length).setU64(104, length).setU64(112, 0x1000);
  file.bytes.set(code, HEADERS);
  return file.bytes;
}
