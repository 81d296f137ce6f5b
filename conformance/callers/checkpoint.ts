/** Checkpoint and restore, as far as callers offer them: by a CRIU that works on this machine's kernel. */
import { dirname } from "node:path";
import { CRIU } from "../checkpoint/criu.ts";
import type { Case } from "./caller.ts";

/** Put before each case, and before daemons: callers and runtimes find CRIU by $PATH; runc.conf is what reg and runc let CRIU read. */
export const CRIU_PROLOGUE = CRIU === undefined ? "" : `export PATH=${dirname(CRIU)}:$PATH\n`;

/** Counts, and shows where it is. */
export const COUNT = "'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'";

/** A shell function: \`goes_on BEFORE AFTER\` says whether two numbers are of one counter that went on. */
export const GOES_ON = `goes_on() { [ "$1" -gt 1 ] && [ "$2" -gt "$1" ] && echo went on || echo "$1, then $2"; }
`;

/** The cases, where there is a CRIU. crun's needs its library, which has to be installed. */
export function checkpointCases(cases: readonly Case[]): readonly Case[] {
  const crun = "needs libcriu, installed";
  const none = "needs CRIU that works on this kernel";
  const skip = CRIU === undefined ? { reg: none, crun: none, runc: none } : { crun };
  return cases.map((each) => ({ ...each, skip: { ...skip, ...each.skip } }));
}
