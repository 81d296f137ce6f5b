/** Rules of /process, and of the document that `exec --process` reads. */
import type { Process, Rlimit, Scheduler } from "../config.ts";
import { isCpuList } from "./cpu-list.ts";
import type { Faults } from "./faults.ts";

export function processRules(process: Process, at: string, faults: Faults): void {
  const { args = [], cwd, oomScoreAdj, scheduler, ioPriority, execCPUAffinity, rlimits } = process;
  if (!cwd.startsWith("/")) faults.add(`${at}/cwd`, "an absolute path", cwd);
  if (args.length === 0) faults.add(`${at}/args`, "at least the program to run", process.args);
  if (oomScoreAdj !== undefined && (oomScoreAdj < -1000 || oomScoreAdj > 1000))
    faults.add(`${at}/oomScoreAdj`, "-1000 to 1000", oomScoreAdj);
  if (scheduler !== undefined) schedulerRules(scheduler, `${at}/scheduler`, faults);
  if (ioPriority?.priority !== undefined && (ioPriority.priority < 0 || ioPriority.priority > 7))
    faults.add(`${at}/ioPriority/priority`, "0 to 7", ioPriority.priority); // ioprio_set(2)
  for (const phase of ["initial", "final"] as const) {
    const list = execCPUAffinity?.[phase];
    if (list !== undefined && list !== "" && !isCpuList(list))
      faults.add(`${at}/execCPUAffinity/${phase}`, "a list of CPUs such as 0-3,7", list);
  }
  if (rlimits !== undefined) rlimitRules(rlimits, `${at}/rlimits`, faults);
}

function rlimitRules(rlimits: readonly Rlimit[], at: string, faults: Faults): void {
  let seen = " ";
  for (let index = 0; index < rlimits.length; index++) {
    const { type, soft, hard } = rlimits[index] as Rlimit;
    if (seen.includes(` ${type} `)) faults.add(`${at}/${index}/type`, "each type once", type);
    else seen += `${type} `;
    if (soft > hard) faults.add(`${at}/${index}/soft`, `at most the hard limit, ${hard}`, soft); // setrlimit(2)
  }
}

/** sched(7), sched_setattr(2). */
function schedulerRules(scheduler: Scheduler, at: string, faults: Faults): void {
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0, flags = [] } = scheduler;
  if ((policy === "SCHED_OTHER" || policy === "SCHED_BATCH") && (nice < -20 || nice > 19))
    faults.add(`${at}/nice`, `-20 to 19 for ${policy}`, nice);
  const realtime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  if (!realtime && priority !== 0)
    faults.add(`${at}/priority`, `no priority for ${policy}, only for SCHED_FIFO and SCHED_RR`, priority);
  const keeps = flags.includes("SCHED_FLAG_KEEP_POLICY") || flags.includes("SCHED_FLAG_KEEP_PARAMS");
  if (realtime && !keeps && (priority < 1 || priority > 99))
    faults.add(`${at}/priority`, `1 to 99 for ${policy}`, scheduler.priority);
  if (policy !== "SCHED_DEADLINE") {
    for (const field of ["runtime", "deadline", "period"] as const)
      if ((scheduler[field] ?? 0) !== 0)
        faults.add(`${at}/${field}`, `no ${field} for ${policy}, only for SCHED_DEADLINE`, scheduler[field]);
    return;
  }
  if (keeps) return;
  if (deadline === 0) faults.add(`${at}/deadline`, "a deadline for SCHED_DEADLINE", scheduler.deadline);
  else if (runtime > deadline) faults.add(`${at}/runtime`, `at most the deadline, ${deadline}`, runtime);
  if (period !== 0 && deadline > period) faults.add(`${at}/deadline`, `at most the period, ${period}`, deadline);
}
