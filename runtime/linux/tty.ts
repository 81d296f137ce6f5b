/** Terminals: pseudoterminal pairs, sizes, raw mode. Source: pty(7), tty_ioctl(4), termios(3). */
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, filesystemType, stat } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { TERMIOS, WINSIZE } from "../libc/structs.ts";
import { openInRoot } from "./path.ts";

export interface WindowSize {
  readonly height: number;
  readonly width: number;
}

/** Both ends of a new pseudoterminal; the descriptors are the caller's. */
export interface PseudoTerminal {
  readonly master: number;
  readonly slave: number;
}

/**
 * A pseudoterminal of the devpts that is mounted inside `root`. What was opened is verified: an image or another
 * process must not be able to put a terminal of the host in its place (CVE-2025-52565).
 */
export function openPseudoTerminal(root: number): PseudoTerminal {
  const master = openInRoot(root, "/dev/pts/ptmx", C.O_RDWR | C.O_NOCTTY);
  try {
    const { rdevMajor, rdevMinor } = stat("", master);
    if (filesystemType(master) !== C.DEVPTS_SUPER_MAGIC || rdevMajor !== 5 || rdevMinor !== 2)
      throw new RegError("EINVAL", "/dev/pts/ptmx in the container is not a devpts multiplexer", {
        hint: "process.terminal needs a mount of type devpts on /dev/pts",
      });
    checked(libc.ioctl(master, C.TIOCSPTLCK, new Struct(4).bytes), "ioctl(2)", "TIOCSPTLCK");
    const slave = checked(
      libc.ioctl(master, C.TIOCGPTPEER, C.O_RDWR | C.O_NOCTTY | C.O_CLOEXEC),
      "ioctl(2)",
      "TIOCGPTPEER",
    );
    const peer = stat("", slave);
    if (filesystemType(slave) !== C.DEVPTS_SUPER_MAGIC || peer.rdevMajor < 136 || peer.rdevMajor > 143) {
      close(slave);
      throw new RegError("EINVAL", "the container's devpts gave something that is not a pseudoterminal");
    }
    return { master, slave };
  } catch (error) {
    close(master);
    throw error;
  }
}

/** The terminal's size; undefined when `fd` is no terminal. */
export function windowSize(fd: number): WindowSize | undefined {
  const size = new Struct(WINSIZE.size);
  if (libc.ioctl(fd, C.TIOCGWINSZ, size.bytes) === -1) return undefined;
  return { height: size.u16(WINSIZE.ws_row), width: size.u16(WINSIZE.ws_col) };
}

/** Sets the terminal's size; its foreground processes get SIGWINCH. */
export function setWindowSize(fd: number, { height, width }: WindowSize): void {
  const size = new Struct(WINSIZE.size).setU16(WINSIZE.ws_row, height).setU16(WINSIZE.ws_col, width);
  checked(libc.ioctl(fd, C.TIOCSWINSZ, size.bytes), "ioctl(2)", "TIOCSWINSZ");
}

/** Makes the terminal standard input, output and error. */
export function adoptTerminal(slave: number): void {
  for (const fd of [0, 1, 2]) checked(libc.dup3(slave, fd, 0), "dup3(2)", "the terminal");
}

/** Makes the terminal that standard input is the controlling one of this session, which this process leads. */
export function controlTerminal(): void {
  checked(libc.ioctl(0, C.TIOCSCTTY, 0), "ioctl(2)", "TIOCSCTTY");
}

const TCSANOW = 0;

/**
 * Puts the terminal into raw mode, as cfmakeraw(3), but for its output: a line feed goes on taking a "\r", which the container's
 * terminal leaves to it (`keepNewlines`; as runc and crun). Returns what puts the terminal back.
 */
export function makeRaw(fd: number): () => void {
  const saved = new Uint8Array(TERMIOS.size);
  checked(libc.tcgetattr(fd, saved), "tcgetattr(3)", `descriptor ${fd}`);
  const raw = new Struct(TERMIOS.size);
  raw.bytes.set(saved);
  const IGNBRK_TO_IXON = 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000; // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
  const LOCAL = 0o10 | 0o100 | 0o2 | 0o1 | 0o100000; // ECHO ECHONL ICANON ISIG IEXTEN
  const CSIZE_PARENB = 0o60 | 0o400;
  const CS8 = 0o60;
  raw
    .setU32(TERMIOS.c_iflag, raw.u32(TERMIOS.c_iflag) & ~IGNBRK_TO_IXON)
    .setU32(TERMIOS.c_cflag, (raw.u32(TERMIOS.c_cflag) & ~CSIZE_PARENB) | CS8)
    .setU32(TERMIOS.c_lflag, raw.u32(TERMIOS.c_lflag) & ~LOCAL);
  checked(libc.tcsetattr(fd, TCSANOW, raw.bytes), "tcsetattr(3)", `descriptor ${fd}`);
  return () => {
    libc.tcsetattr(fd, TCSANOW, saved);
  };
}

/** Lets what is written to the terminal through as it is: without "\r" before "\n", which the terminal outside adds (as runc). */
export function keepNewlines(fd: number): void {
  const settings = new Struct(TERMIOS.size);
  checked(libc.tcgetattr(fd, settings.bytes), "tcgetattr(3)", `descriptor ${fd}`);
  const ONLCR = 0o4;
  settings.setU32(TERMIOS.c_oflag, settings.u32(TERMIOS.c_oflag) & ~ONLCR);
  checked(libc.tcsetattr(fd, TCSANOW, settings.bytes), "tcsetattr(3)", `descriptor ${fd}`);
}

/** True when the descriptor is a terminal. */
export function isTerminal(fd: number): boolean {
  return libc.isatty(fd) === 1;
}
