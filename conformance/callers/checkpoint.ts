/** Checkpoint and restore, as far as callers offer them: by a CRIU that works on this machine's kernel. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { CRIU } from "../checkpoint/criu.ts";
import type { Case } from "./caller.ts";

/** Put before each case, and before daemons: callers and runtimes find CRIU by $PATH; runc.conf is what reg and runc let CRIU read. */
export const CRIU_PROLOGUE = CRIU === undefined ? "" : `export PATH=${dirname(CRIU)}:$PATH\n`;

/** Seconds between two numbers of a counter, each of which starts a process: on an emulated processor few of them are enough. */
const PACE = process.env.COUNTERS_PACE ?? "0.05";

/** Counts, and shows where it is. */
export const COUNT = `'i=0; while :; do i=$((i+1)); echo $i; sleep ${PACE}; done'`;

/** A shell script that counts, and keeps in a file where it is. */
export function countInto(folder: string): string {
  return `i=0; while :; do i=$((i+1)); echo $i >${folder}/new; mv ${folder}/new ${folder}/n; sleep ${PACE}; done`;
}

/** A shell function: \`goes_on BEFORE AFTER\` says whether two numbers are of one counter that went on. */
export const GOES_ON = `goes_on() { [ "$1" -gt 1 ] && [ "$2" -gt "$1" ] && echo went on || echo "$1, then $2"; }
`;

/** What runc and reg let CRIU read. Roots that are made for the callers have it. */
const CONFIGURATION = "/etc/criu";

/** Shell functions for callers that have no option for it: in this session connections that are open are saved too. */
export const OPEN_CONNECTIONS = `open_connections() { mount -t tmpfs criu ${CONFIGURATION} && echo tcp-established >${CONFIGURATION}/runc.conf; }
no_open_connections() { umount ${CONFIGURATION}; }
`;

/** A case that uses these. crun reads a file of another name. */
export function openConnection(name: string, run: string, output: string): Case {
  const missing = `needs ${CONFIGURATION}`;
  const crun = "has no option for it here";
  return { name, run, output, skip: existsSync(CONFIGURATION) ? { crun } : { reg: missing, crun, runc: missing } };
}

/** crun has CRIU as a library, which it looks for when it needs it. */
const LIBRARY = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].some((folder) =>
  existsSync(`${folder}/libcriu.so.2`),
);

/** The cases, where there is a CRIU, and for crun its library. `missing` says what else they need, and is not there. */
export function checkpointCases(cases: readonly Case[], missing?: string): readonly Case[] {
  const why = missing ?? (CRIU === undefined ? "needs CRIU that works on this kernel" : undefined);
  const crun = LIBRARY ? {} : { crun: "needs libcriu, installed" };
  const skip = why === undefined ? crun : { reg: why, crun: why, runc: why };
  return cases.map((each) => ({ ...each, skip: { ...skip, ...each.skip } }));
}
