/**
 * linux.resources.unified: cgroup v2 files and what to write to them, written last so that they have the final say.
 * A value of several lines is written line by line, as files such as io.max take it.
 * Source: runtime-spec config-linux.md "Unified".
 */
import { ConfigError, type Fault } from "../../../../errors/errors.ts";
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import { pointerToken } from "../pointer.ts";

export function planUnified(unified: Readonly<Record<string, string>> | undefined): FileWrite[] {
  const writes: FileWrite[] = [];
  const faults: Fault[] = [];
  for (const [file, text] of Object.entries(unified ?? {})) {
    const field = `/linux/resources/unified/${pointerToken(file)}`;
    const dot = file.indexOf(".");
    if (file.includes("/") || dot <= 0) {
      faults.push({ pointer: field, expected: "the name of a cgroup file, without slashes", found: file });
      continue;
    }
    const controller = file.slice(0, dot);
    for (const value of text.split("\n")) if (value !== "") writes.push({ controller, file, value, field });
  }
  const [first] = faults;
  if (first !== undefined)
    throw new ConfigError(`unified resource "${first.found}" must be a file name (no slashes)`, faults);
  return writes;
}
