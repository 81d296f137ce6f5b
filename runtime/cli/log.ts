/** Log messages: to stderr, or to --log in text or JSON as runc writes them, which containerd and Podman read. */
import { host } from "#host";
import type { ErrorContext } from "../errors/errors.ts";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { open, writeAll } from "../libc/file.ts";
import { connectUnix } from "../libc/socket.ts";

export type Level = "error" | "warning" | "info" | "debug";
const LEVELS: readonly Level[] = ["error", "warning", "info", "debug"];

export interface LogOptions {
  /** Where to: a path, `file:PATH`, `syslog:ID` or `journald:ID`; absent: stderr only. */
  readonly target?: string;
  readonly format: "text" | "json";
  readonly level: Level;
}

/** Severities of syslog(3). */
const SEVERITY: Readonly<Record<Level, number>> = { error: 3, warning: 4, info: 6, debug: 7 };
const FACILITY_DAEMON = 3;

export class Log {
  readonly #level: number;
  readonly #format: LogOptions["format"];
  readonly #fd: number | undefined;
  /** "syslog" and "journald" take datagrams of their own form. */
  readonly #service: { readonly kind: string; readonly id: string } | undefined;

  /** Opens the target. Throws SyscallError when it cannot be opened. */
  constructor({ target, format, level }: LogOptions) {
    this.#level = LEVELS.indexOf(level);
    this.#format = format;
    const service = /^(syslog|journald):(.*)$/.exec(target ?? "");
    if (service !== null) {
      this.#service = { kind: service[1] ?? "", id: service[2] || "reg" };
      const path = this.#service.kind === "syslog" ? "/dev/log" : "/run/systemd/journal/socket";
      this.#fd = connectUnix(path, C.SOCK_DGRAM);
    } else if (target !== undefined && target !== "") {
      this.#fd = open(target.replace(/^file:/, ""), C.O_WRONLY | C.O_CREAT | C.O_APPEND, 0o644);
    }
  }

  write(level: Level, message: string): void {
    if (LEVELS.indexOf(level) > this.#level) return;
    if (this.#fd === undefined) writeStderr(level === "error" ? message : `${level}: ${message}`);
    else writeAll(this.#fd, host.encode(this.#record(level, message)), "the log");
  }

  /** An error goes to the log as a record and to stderr as a plain line: conmon shows the one, containerd the other. */
  error(message: string): void {
    if (this.#fd !== undefined) this.write("error", message);
    writeStderr(message);
  }

  #record(level: Level, message: string): string {
    if (this.#service?.kind === "syslog")
      return `<${FACILITY_DAEMON * 8 + SEVERITY[level]}>${this.#service.id}: ${message}`;
    if (this.#service?.kind === "journald")
      return `SYSLOG_IDENTIFIER=${this.#service.id}\nPRIORITY=${SEVERITY[level]}\nMESSAGE=${message.replaceAll("\n", "; ")}\n`;
    const time = new Date().toISOString();
    if (this.#format === "json") return `${JSON.stringify({ level, msg: message, time })}\n`;
    return `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}\n`;
  }
}

/** One or more whole lines on stderr, each beginning with the program's name only at the first. */
function writeStderr(message: string): void {
  const bytes = host.encode(`reg: ${message}\n`);
  try {
    writeAll(2, bytes);
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // a closed stderr must not hide the exit status
  }
}

/** An error as its reader wants it: what was attempted, the field, and on a line of its own what to do. */
export function formatError(error: { readonly message: string } & ErrorContext): string {
  const field = error.field === undefined ? "" : ` [${error.field}]`;
  const hint = error.hint === undefined ? "" : `\nhint: ${error.hint}`;
  return `${error.message}${field}${hint}`;
}
