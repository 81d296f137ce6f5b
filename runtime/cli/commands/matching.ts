/** --regex of `kill` and `delete`: the id is then a regular expression (as crun). */
import { listIds } from "../../container/store.ts";
import { UsageError } from "../../errors/errors.ts";
import type { OptionTable } from "../command.ts";

export const REGEX_OPTION = {
  regex: {
    type: "boolean",
    alias: "r",
    describe: "take ID for a regular expression, and all containers that it matches",
  },
} as const satisfies OptionTable;

/** Calls `action` for the container, or for all that match. */
export function forEachMatching(
  regex: boolean | undefined,
  root: string,
  id: string,
  action: (id: string) => void,
): void {
  if (regex !== true) {
    action(id);
    return;
  }
  let expression: RegExp;
  try {
    expression = new RegExp(id);
  } catch {
    throw new UsageError(`not a regular expression: ${id}`);
  }
  for (const each of listIds(root)) if (expression.test(each)) action(each);
}
