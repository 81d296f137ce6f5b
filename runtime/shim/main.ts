/** `containerd-shim-reg-v2`: argv to one of its commands. */
import { host } from "#host";
import { UsageError } from "../errors/errors.ts";
import { writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { parseArguments } from "./arguments.ts";
import { deleteLeftovers } from "./delete.ts";
import { info } from "./info.ts";
import type { Program } from "./program.ts";
import { serve } from "./serve.ts";
import { start } from "./start.ts";
import { describe } from "./ttrpc/status.ts";

const SHIM_NAME = "containerd-shim-reg-v2";

/** Runs a command, and ends the process. */
export async function shim(program: Program): Promise<never> {
  let status = 0;
  try {
    const args = parseArguments(host.args);
    const out = (bytes: Uint8Array) => writeAll(1, bytes, "standard output");
    if (args.version) {
      const { version, commit } = await program.about();
      out(host.encode(`${SHIM_NAME}:\n  Version:  ${version}\n  Revision: ${commit ?? ""}\n`));
    } else if (args.info) out(info(await program.about()));
    else if (args.command === "start") out(start(args, (shim) => serve(shim, program)));
    else if (args.command === "delete") out(deleteLeftovers(args));
    else throw new UsageError(`unknown command ${JSON.stringify(args.command)}: start and delete are known`);
  } catch (error) {
    writeAll(2, host.encode(`${SHIM_NAME}: ${describe(error)}\n`), "standard error");
    status = 1;
  }
  libc._exit(status);
  throw new Error("unreachable");
}
