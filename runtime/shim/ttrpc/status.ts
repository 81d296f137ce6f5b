/** How a call fails, as its caller sees it. Source: google/rpc/code.proto; containerd turns the codes into its own errors. */
import { RegError } from "../../errors/errors.ts";

export const CODE = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
} as const;

/** A failure with a code of its own; everything else is "unknown". */
export class CallError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const notFound = (message: string) => new CallError(CODE.notFound, message);
export const alreadyExists = (message: string) => new CallError(CODE.alreadyExists, message);
export const failedPrecondition = (message: string) => new CallError(CODE.failedPrecondition, message);
export const unimplemented = (message: string) => new CallError(CODE.unimplemented, message);
export const invalidArgument = (message: string) => new CallError(CODE.invalidArgument, message);

/** What a caller is told of an error: on one line, with the field and the hint. */
export function describe(error: unknown): string {
  if (!(error instanceof RegError)) return error instanceof Error ? error.message : String(error);
  const field = error.field === undefined ? "" : ` [${error.field}]`;
  const hint = error.hint === undefined ? "" : ` (${error.hint})`;
  return `${error.message}${field}${hint}`;
}
