/** Where the program criu is. */
import { host } from "#host";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { statIfExists } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";

/** Engines may give a short PATH or none, and criu is root's program. */
const USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The path of criu: `given`, or the first in $PATH and the usual folders. Throws RegError ENOENT with what to install. */
export function findCriu(given = "criu"): string {
  const path = host.environ.find((entry) => entry.startsWith("PATH="))?.slice(5) ?? "";
  // As in a shell, but for the working directory, which anybody's files may be in.
  const folders = `${path}:${USUAL}`.split(":").filter((folder) => folder.startsWith("/"));
  const found = (given.includes("/") ? [given] : folders.map((folder) => `${folder}/${given}`)).find(isProgram);
  if (found !== undefined) return found;
  throw new RegError("ENOENT", `${given}: executable file not found in $PATH`, {
    hint: "CRIU saves and restores processes: install the package criu, or name the program with --criu",
  });
}

function isProgram(path: string): boolean {
  if (libc.faccessat(C.AT_FDCWD, path, C.X_OK, 0) === -1) return false;
  return statIfExists(path, C.AT_FDCWD, true)?.type === C.S_IFREG;
}
