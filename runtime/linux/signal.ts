/** Signals by name and number. Source: signal(7). */
import { unknownSignal } from "../errors/messages.ts";

// biome-ignore format: the index is the number
const NAMES = [
  "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
  "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
  "IO", "PWR", "SYS",
];
const ALIASES: ReadonlyMap<string, number> = new Map([
  ["IOT", 6],
  ["CLD", 17],
  ["POLL", 29],
  ["UNUSED", 31],
]);
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** The number of a signal: "9", "KILL", "SIGKILL", "kill", "RTMIN+1"; 0 asks only whether the process is there. */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number <= SIGRTMAX) return number;
    throw unknownSignal(text);
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const number = name === "" ? -1 : NAMES.indexOf(name);
  if (number > 0) return number;
  const alias = ALIASES.get(name);
  if (alias !== undefined) return alias;
  const realTime = /^RT(MIN|MAX)([+-]\d+)?$/.exec(name);
  if (realTime !== null) {
    const value = (realTime[1] === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(realTime[2] ?? 0);
    if (value >= SIGRTMIN && value <= SIGRTMAX) return value;
  }
  throw unknownSignal(text);
}
