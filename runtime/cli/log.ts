/**
 * Log messages: to stderr, and to --log in text or JSON as runc writes them. containerd shows the last record of level
 * "error"; Podman reads the whole file as one JSON object, so a failure leaves exactly one record unless the caller asked
 * for more with --log-level or --debug.
 */
import { host } from "#host";
import type { ErrorContext } from "../errors/errors.ts";
import { ConfigError, RegError } from "../errors/errors.ts";
import { printable, printableJson, printableLines } from "../errors/printable.ts";
import * as C from "../libc/constants.ts";
import { open, write, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { connectUnix } from "../libc/socket.ts";

export type Level = "error" | "warning" | "info" | "debug";
const LEVELS: readonly Level[] = ["error", "warning", "info", "debug"];

export interface LogOptions {
  /** Where to: a path, `file:PATH`, `syslog:ID` or `journald:ID`; absent: stderr only. */
  readonly target?: string;
  readonly format: "text" | "json";
  /** Absent: warnings, and in a log the ones of a command that fails become a part of its error. */
  readonly level?: Level;
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
  /** Warnings that wait for the command's end. */
  #held: string[] | undefined;

  /** Opens the target. Throws RegError when it cannot be opened. */
  constructor({ target, format, level }: LogOptions) {
    this.#level = LEVELS.indexOf(level ?? "warning");
    this.#format = format;
    if (target === undefined || target === "") return;
    if (level === undefined) this.#held = [];
    const service = /^(syslog|journald):(.*)$/s.exec(target);
    try {
      if (service === null) {
        this.#fd = open(target.replace(/^file:/, ""), C.O_WRONLY | C.O_CREAT | C.O_APPEND, 0o644);
      } else {
        this.#service = { kind: service[1] ?? "", id: service[2] || "reg" };
        const path = this.#service.kind === "syslog" ? "/dev/log" : "/run/systemd/journal/socket";
        this.#fd = connectUnix(path, C.SOCK_DGRAM);
      }
    } catch (error) {
      if (!(error instanceof RegError)) throw error;
      throw new RegError(error.code, `cannot log to ${target}: ${error.message}`, { cause: error });
    }
  }

  /** Whether messages of this level are wanted. */
  shows(level: Level): boolean {
    return LEVELS.indexOf(level) <= this.#level;
  }

  write(level: Level, message: string): void {
    if (!this.shows(level)) return;
    const line = printable(message);
    if (this.#fd === undefined) writeStderr(`${level}: ${line}`);
    else if (this.#held !== undefined) this.#held.push(line);
    else this.#record(level, line);
  }

  /** The command's failure: a record in the log, a plain line on stderr. conmon shows the one, containerd the other. */
  error(message: string): void {
    const text = [message, ...(this.#held ?? []).map((warning) => `warning: ${warning}`)].join("\n");
    this.#held = undefined;
    if (this.#fd !== undefined) this.#record("error", text);
    writeStderr(text);
  }

  /** The command has succeeded: writes the warnings that waited. */
  end(): void {
    for (const warning of this.#held ?? []) this.#record("warning", warning);
    this.#held = undefined;
  }

  /** A log that cannot be written any more (a full disk) must not hide how the command ended. */
  #record(level: Level, message: string): void {
    try {
      const record = host.encode(this.#render(level, message));
      if (this.#service === undefined) writeAll(this.#fd ?? 2, record, "the log");
      else write(this.#fd ?? 2, record, "the log"); // a datagram, which goes as a whole, or is lost if nobody reads
    } catch (error) {
      if (!(error instanceof RegError)) throw error;
      writeStderr(`warning: ${error.message}`);
    }
  }

  #render(level: Level, message: string): string {
    if (this.#service?.kind === "syslog")
      return `<${FACILITY_DAEMON * 8 + SEVERITY[level]}>${this.#service.id}[${libc.getpid()}]: ${printable(message)}`;
    if (this.#service?.kind === "journald")
      return (
        journalField("SYSLOG_IDENTIFIER", this.#service.id) +
        journalField("PRIORITY", String(SEVERITY[level])) +
        journalField("MESSAGE", message)
      );
    const time = `${new Date().toISOString().slice(0, 19)}Z`;
    if (this.#format === "json") return `${printableJson({ level, msg: message, time })}\n`;
    const quoted = /^[\w\-./@^+]+$/.test(message) ? message : printableJson(message);
    return `time="${time}" level=${level} msg=${quoted}\n`;
  }
}

/** A field of systemd's native journal protocol in its simple form, which has no room for line ends. */
function journalField(name: string, value: string): string {
  return `${name}=${printable(value.replaceAll("\n", "; "))}\n`;
}

/** One or more whole lines on stderr, the program's name before the first. */
function writeStderr(message: string): void {
  try {
    writeAll(2, host.encode(`reg: ${printableLines(message)}\n`));
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // a closed stderr must not hide the exit status
  }
}

/**
 * An error as its reader wants it: what was attempted, the field, and on a line of its own what to do. Messages quote what a bundle or a
 * hook says: what they hold stands on one line, but for lists of faults and traces, which are lines of ours.
 */
export function formatError(error: { readonly message: string } & ErrorContext): string {
  const ours = !(error instanceof RegError) || error instanceof ConfigError;
  const message = ours ? error.message : printable(error.message);
  const field = error.field === undefined ? "" : ` [${printable(error.field)}]`;
  const hint = error.hint === undefined ? "" : `\nhint: ${printable(error.hint)}`;
  return `${message}${field}${hint}`;
}
