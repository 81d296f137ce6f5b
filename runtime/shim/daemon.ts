/**
 * Whether the daemon that calls `start` takes version 3 of the Task service in an address. containerd 2.0 to 2.2 do, 1.7 refuses it, and none of
 * them says which it is: MAX_SHIM_VERSION is 2 with all. (From 2.3 on the parameters say it.) So the daemon's program is looked at: a Go
 * program has the list of modules that it was built of in a section of its own, also where containerd is only a part of it, as in k3s.
 * Source: Go src/debug/buildinfo; elf(5).
 */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { open, read, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct, textOf } from "../libc/memory.ts";

const MODULE = "github.com/containerd/containerd/v2";
const SECTION = ".go.buildinfo";
/** A list of modules has some kilobytes, that of k3s fifty. */
const LONGEST_BYTES = 512 * 1024;

/** Offsets in Elf64_Ehdr and Elf64_Shdr. */
const HEADER = { size: 64, class: 4, e_shoff: 0x28, e_shentsize: 0x3a, e_shnum: 0x3c, e_shstrndx: 0x3e } as const;
const ENTRY = { size: 64, sh_name: 0, sh_offset: 0x18, sh_size: 0x20 } as const;
const CLASS_64 = 2;

/** Whether this process's parent is containerd 2. What can not be read is taken for an older one, which every version understands. */
export function daemonTakesVersion3(): boolean {
  if (!host.environ.some((variable) => variable.startsWith("MAX_SHIM_VERSION="))) return false; // 1.6
  try {
    return withFd(open(`/proc/${libc.getppid()}/exe`, C.O_RDONLY), (fd) => modulesOf(fd).includes(MODULE));
  } catch (error) {
    if (error instanceof RegError) return false;
    throw error;
  }
}

/** The list of modules, as text; "" when there is none. */
function modulesOf(fd: number): string {
  const header = readAt(fd, 0, HEADER.size);
  if (header.u32(0) !== 0x464c457f || header.u8(HEADER.class) !== CLASS_64) return "";
  const [start, size, count] = [header.u64(HEADER.e_shoff), header.u16(HEADER.e_shentsize), header.u16(HEADER.e_shnum)];
  if (start === 0 || size !== ENTRY.size) return "";
  const table = readAt(fd, start, size * count);
  const place = (index: number) => {
    const entry = index * ENTRY.size;
    if (entry + ENTRY.size > table.bytes.length) return { offset: 0, length: 0 };
    return { offset: table.u64(entry + ENTRY.sh_offset), length: table.u64(entry + ENTRY.sh_size) };
  };
  const contents = (index: number) => {
    const { offset, length } = place(index);
    return readAt(fd, offset, Math.min(length, LONGEST_BYTES)).bytes;
  };
  const names = contents(header.u16(HEADER.e_shstrndx));
  for (let index = 0; index < count; index++)
    if (textOf(names.subarray(table.u32(index * ENTRY.size + ENTRY.sh_name))) === SECTION)
      return host.decode(contents(index));
  return "";
}

/** What is there of so many bytes; the rest is zero. */
function readAt(fd: number, offset: number, length: number): Struct {
  const struct = new Struct(length);
  checked(libc.lseek(fd, offset, 0), "lseek(2)", "the daemon's program");
  for (let filled = 0; filled < length; ) {
    const count = read(fd, struct.bytes.subarray(filled));
    if (count === 0) break;
    filled += count;
  }
  return struct;
}
