/** Turns a result of -1 into a SyscallError, once for all wrappers. */
import { host } from "#host";
import { SyscallError } from "../errors/errors.ts";

/** Gives `result` back, or throws SyscallError with the saved errno when it is -1. */
export function checked(result: number, syscall: string, subject: string): number {
  if (result === -1) throw new SyscallError(syscall, subject, host.errno());
  return result;
}
