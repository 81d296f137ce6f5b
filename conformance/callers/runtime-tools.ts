/**
 * The OCI project's validation suite, runtime-tools: each of its programs is a case. They judge by themselves and print TAP; what is
 * known about failures stands in conformance/runtime-tools/README.md.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BUILD } from "../paths.ts";
import { mounting, need, program, root } from "../testing.ts";
import type { Caller, Case } from "./caller.ts";

/** Where conformance/runtime-tools/build.sh leaves it. */
const SUITE = join(BUILD, "runtime-tools");
const PROGRAMS = join(SUITE, "bin");

/** Programs that wait for what does not come. */
const SLOW: readonly string[] = ["delete", "kill", "linux_rootfs_propagation", "pidfile"];

/** Programs whose expectation contradicts the specification, or is a matter of chance. */
const EXPLAINED: Readonly<Record<string, string>> = {
  pidfile: "it kills its container and wants no error, which depends on whether `true` has ended already in it",
  start:
    'the last check wants `start` to succeed without a process; runtime.md, "Start": "If process was not set, the operation MUST generate an error"',
};

function findCases(): Case[] {
  const names = existsSync(PROGRAMS) ? readdirSync(PROGRAMS).sort() : [];
  return names.map((name) => {
    const explained = EXPLAINED[name];
    return {
      name,
      run: `validate ${name}`,
      tap: true,
      ...(SLOW.includes(name) ? { slow: true } : {}),
      ...(explained === undefined ? {} : { explained }),
    };
  });
}

const LEFT: Case = {
  name: "left: no state or cgroup",
  run: "ls /run/$kind 2>/dev/null | grep -v ^@; find /sys/fs/cgroup -maxdepth 3 -path '*/cgrouptest*' -name container -o -maxdepth 2 -name cgrouptest | wc -l",
  output: "0",
};

export const runtimeTools: Caller = {
  name: "runtime-tools",
  needs: [
    root,
    mounting,
    need("the suite, built", existsSync(join(SUITE, "stamp"))),
    need("an x86 machine, for the suite's root filesystem", process.arch === "x64"),
    program("flock"),
  ],
  version: ["sed", "-n", "s/^ *\\([0-9][^ ]*\\) .*/runtime-tools \\1/p", join(SUITE, "stamp")],
  configure: ({ folder, runtime, archive }) => `
kind=${runtime.kind} runtime=${runtime.path}
export RUNTIME=$runtime TMPDIR=${folder}
cd ${SUITE}
remove_all() { for id in $(ls /run/$kind 2>/dev/null | grep -v ^@); do $runtime delete --force $id; done; }
validate() {
    case $1 in
    # They use cgroups of the same name always: only one runtime at a time can have them.
    linux_cgroups_* | delete_*) flock ${archive}.lock bin/$1 ;;
    # It sends a signal as soon as the container runs, which a shell may not have set its trap for by then.
    killsig)
        printf '#!/bin/sh\n[ "$1" != kill ] || sleep 0.3\nexec %s "$@"\n' $runtime >${folder}/runtime
        chmod +x ${folder}/runtime
        RUNTIME=${folder}/runtime bin/$1
        ;;
    *) bin/$1 ;;
    esac
}
`,
  start: ":",
  stop: "remove_all",
  cgroups: ["cgrouptest", "testdir"],
  cases: [...findCases(), LEFT],
};
