/** A file as a block device. Source: loop(4). */
import { host } from "#host";
import { EBUSY } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { open, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";

const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a; // Linux 5.8
const LO_FLAGS_READ_ONLY = 1;
const LO_FLAGS_AUTOCLEAR = 4;
/** struct loop_config: fd, block_size, struct loop_info64 from 8 on, whose lo_flags is at 52. */
const LOOP_CONFIG = { size: 304, fd: 0, lo_flags: 8 + 52 } as const;

/** Calls `use` with the path of a loop device for the file. It goes by itself when nothing has it mounted or open any more. */
export function withLoopDevice(file: string, readonly: boolean, use: (device: string) => void): void {
  const access = readonly ? C.O_RDONLY : C.O_RDWR;
  withFd(open(file, access), (backing) => {
    for (;;) {
      const number = withFd(open("/dev/loop-control", C.O_RDWR), (control) =>
        checked(libc.ioctl(control, LOOP_CTL_GET_FREE, 0), "ioctl(2)", "LOOP_CTL_GET_FREE"),
      );
      const device = `/dev/loop${number}`;
      const done = withFd(open(device, access), (fd) => {
        const config = new Struct(LOOP_CONFIG.size)
          .setU32(LOOP_CONFIG.fd, backing)
          .setU32(LOOP_CONFIG.lo_flags, LO_FLAGS_AUTOCLEAR | (readonly ? LO_FLAGS_READ_ONLY : 0));
        if (libc.ioctl(fd, LOOP_CONFIGURE, config.bytes) === -1) {
          if (host.errno() === EBUSY) return false; // somebody else was faster
          throw new SyscallError("ioctl(2)", `LOOP_CONFIGURE ${device}`, host.errno());
        }
        use(device);
        return true;
      });
      if (done) return;
    }
  });
}
