/** The error classes that every layer throws; one place formats them (format.ts). */
import { errnoName, errnoText } from "./errno.ts";

/** What an outer layer knows and an inner one does not: where in config.json, what to do about it. */
export interface ErrorContext {
  /** JSON pointer into config.json, such as `/mounts/0`. */
  readonly field?: string;
  /** What the reader can type or change; one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Any failure that reg explains to its user. `code` is an errno name or an upper-case word of our own. */
export class RegError extends Error {
  readonly code: string;
  /** Filled in by the layer that knows which entry of config.json was at work; see `at`. */
  field?: string;
  readonly hint?: string;

  constructor(code: string, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.code = code;
    if (context.field !== undefined) this.field = context.field;
    if (context.hint !== undefined) this.hint = context.hint;
  }
}

/** A libc call returned -1. Message: `mount(2) proc on /proc: operation not permitted (EPERM)`. */
export class SyscallError extends RegError {
  readonly syscall: string;
  readonly errno: number;

  constructor(syscall: string, subject: string, errno: number, context: ErrorContext = {}) {
    const name = errnoName(errno);
    super(name, `${syscall} ${subject}: ${errnoText(errno)} (${name})`, context);
    this.syscall = syscall;
    this.errno = errno;
  }
}

/** One fault in config.json: where, what was expected, what was found, what may have been meant. */
export interface Fault {
  /** JSON pointer; "" is the document itself. */
  readonly pointer: string;
  readonly expected: string;
  readonly found: string;
  readonly suggestion?: string;
}

/** config.json (or another validated document) has faults: all of them, not the first. */
export class ConfigError extends RegError {
  readonly faults: readonly Fault[];

  constructor(message: string, faults: readonly Fault[], context: ErrorContext = {}) {
    super("EINVAL", message, context);
    this.faults = faults;
  }
}

/** The command line is wrong; the reader wants `--help`. */
export class UsageError extends RegError {
  constructor(message: string, context: ErrorContext = {}) {
    super("USAGE", message, context);
  }
}

/** An error as data, to cross a process boundary. */
export interface ErrorData {
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly hint?: string;
}

/** The error as data; a defect of reg (not a RegError) keeps its stack in the message. */
export function toErrorData(error: unknown): ErrorData {
  if (!(error instanceof RegError)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ""}` : String(error);
    return { code: "INTERNAL", message: shortened(`internal error: ${text}`, 6000) };
  }
  const { code, message, field, hint } = error;
  return {
    code,
    message: shortened(message, 6000),
    ...(field === undefined ? {} : { field: shortened(field, 1000) }),
    ...(hint === undefined ? {} : { hint: shortened(hint, 1000) }),
  };
}

/** A message between processes has an end; what a stranger's document says may have none. */
function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most / 2)}...${text.slice(-most / 2)}`;
}

/** The error that data describes: a failure in init reads like a local one. Somebody else may have written the data. */
export function fromErrorData(data: unknown): RegError {
  const given = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  const { code, message, field, hint } = given;
  if (typeof code !== "string" || typeof message !== "string")
    return new RegError("EPROTO", "init gave no answer that can be read");
  const context = { ...(typeof field === "string" ? { field } : {}), ...(typeof hint === "string" ? { hint } : {}) };
  return new RegError(code, message, context);
}

/** As fromErrorData, from its JSON. */
export function parseErrorData(text: string): RegError {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    // Told below as what it is: no answer.
  }
  return fromErrorData(data);
}

/** Runs `action`; an error that leaves it without a field gets this one. */
export function at<T>(field: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof RegError && error.field === undefined) error.field = field;
    throw error;
  }
}
