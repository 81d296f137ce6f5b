/** What is measured: each scenario is one sequence of commands for measure.c, and the figures taken from its report. */
import type { Contender, Verb } from "./contenders.ts";
import { quantile } from "./statistics.ts";

/** One run as measure.c reports it: nanoseconds, microseconds, KiB. */
export interface Run {
  readonly wall: number;
  readonly steps: readonly {
    wall: number;
    user: number;
    sys: number;
    faults: number;
    maxrss: number;
    status: number;
  }[];
  readonly memory: { rss: number; pss: number };
}

export interface Group {
  readonly runs: readonly Run[];
  /** From the common start to the end of the last run, in nanoseconds. */
  readonly wall: number;
}

/** A figure's name, such as "create time", with its unit, and how it is read from the groups of one sample. */
export interface Figure {
  readonly name: string;
  readonly unit: "ms" | "MB" | "faults";
  read(groups: readonly Group[]): number;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly atOnce: number;
  /** How many such runs make one sample, one after the other. */
  readonly series: number;
  /** The part of all rounds in which it takes part: what takes long is done less often. */
  readonly share: number;
  readonly bundle: "true" | "sleeping";
  readonly steps: readonly (Verb | "@wait" | "@memory")[];
  readonly figures: readonly Figure[];
}

const SERIES = 5;
const MS = 1e6;
const MB = 1024;

/** The median over all runs of a sample of what one run shows. */
const eachRun = (read: (run: Run) => number) => (groups: readonly Group[]) =>
  quantile(groups.flatMap(({ runs }) => runs).map(read), 0.5);

const total: Figure = {
  name: "time",
  unit: "ms",
  read: (groups) =>
    quantile(
      groups.map(({ wall }) => wall),
      0.5,
    ) / MS,
};
/** What one container costs on an idle machine: the kernel is slower with the first one after a pause. */
const afterPause: Figure = {
  name: "time after a pause",
  unit: "ms",
  read: ([first]) => (first?.wall ?? Number.NaN) / MS,
};
const processor: Figure = {
  name: "processor time per container",
  unit: "ms",
  read: eachRun(({ steps }) => steps.reduce((sum, step) => sum + step.user + step.sys, 0) / 1000),
};

/** Of the commands and all that they waited for, the container's program too. */
const faults: Figure = {
  name: "page faults per container",
  unit: "faults",
  read: eachRun(({ steps }) => steps.reduce((sum, step) => sum + step.faults, 0)),
};

type Step = Run["steps"][number];

/** What the command at `index` of a scenario shows. */
function ofCommand(index: number, name: string, unit: Figure["unit"], read: (step: Step) => number): Figure {
  return {
    name,
    unit,
    read: eachRun(({ steps }) => {
      const step = steps[index];
      return step === undefined ? Number.NaN : read(step);
    }),
  };
}

const commandsOf = (steps: Scenario["steps"]) => steps.filter((step) => !step.startsWith("@"));

/** Time and peak memory of each command, in the order of the steps. */
function perCommand(steps: Scenario["steps"]): Figure[] {
  return commandsOf(steps).flatMap((name, index) => [
    ofCommand(index, `${name} time`, "ms", ({ wall }) => wall / MS),
    ofCommand(index, `${name} memory`, "MB", ({ maxrss }) => maxrss / MB),
  ]);
}

/** What one command of several costs. */
function alone(steps: Scenario["steps"], command: Verb): Figure[] {
  const index = commandsOf(steps).indexOf(command);
  return [
    ofCommand(index, total.name, total.unit, ({ wall }) => wall / MS),
    ofCommand(index, processor.name, processor.unit, ({ user, sys }) => (user + sys) / 1000),
    ofCommand(index, faults.name, faults.unit, (step) => step.faults),
    ofCommand(index, "memory", "MB", ({ maxrss }) => maxrss / MB),
  ];
}

function scenario(
  name: string,
  title: string,
  bundle: Scenario["bundle"],
  steps: Scenario["steps"],
  rest: { atOnce?: number; share?: number; figures?: readonly Figure[] } = {},
): Scenario {
  const atOnce = rest.atOnce ?? 1;
  const figures = rest.figures ?? [total, afterPause, processor, faults, ...perCommand(steps)];
  return { name, title, bundle, steps, atOnce, series: atOnce > 1 ? 1 : SERIES, share: rest.share ?? 1, figures };
}

const waiting: Figure[] = [
  { name: "waiting init, resident", unit: "MB", read: eachRun(({ memory }) => memory.rss / MB) },
  { name: "waiting init, proportional", unit: "MB", read: eachRun(({ memory }) => memory.pss / MB) },
];
const commandSteps = ["create", "@memory", "start", "state", "kill", "@wait", "delete"] as const;

export const LIFECYCLE = scenario("lifecycle", "create + start + delete, /bin/true", "true", [
  "create",
  "start",
  "@wait",
  "delete",
]);
export const RUN = scenario("run", "run, /bin/true", "true", ["run"], {
  figures: [total, afterPause, processor, faults, ...perCommand(["run"]).filter(({ unit }) => unit === "MB")],
});
export const COMMANDS = scenario("commands", "each command, a sleeping container", "sleeping", commandSteps, {
  figures: [...perCommand(commandSteps), ...waiting],
});
const execSteps = ["create", "start", "exec", "kill", "@wait", "delete"] as const;
const EXEC = scenario("exec", "exec, /bin/true", "sleeping", execSteps, { figures: alone(execSteps, "exec") });
export const LIST = scenario("list", "list", "sleeping", ["list"], { share: 0.5, figures: perCommand(["list"]) });
export const SCENARIOS: readonly Scenario[] = [
  LIFECYCLE,
  RUN,
  COMMANDS,
  EXEC,
  LIST,
  scenario("run-10", "run, 10 at once", "true", ["run"], { atOnce: 10, share: 0.4, figures: [total, processor] }),
  scenario("run-100", "run, 100 at once", "true", ["run"], { atOnce: 100, share: 0.1, figures: [total, processor] }),
];

/** measure's arguments, undefined when the contender lacks a command of the scenario. */
export function sequence(scenario: Scenario, contender: Contender, id: string, bundle: string): string[] | undefined {
  const commands = scenario.steps.map((step) =>
    step === "@wait" || step === "@memory" ? [step, contender.pidFile(id)] : contender.command(step, { id, bundle }),
  );
  if (!commands.every((command) => command !== undefined)) return undefined;
  return commands.flatMap((command, index) => (index === 0 ? command : ["+", ...command]));
}

/** Runs that did not come to the end of their steps, or whose last step failed. */
export function countFailures(scenario: Scenario, groups: readonly Group[]): number {
  const expected = commandsOf(scenario.steps).length;
  const succeeded = groups
    .flatMap(({ runs }) => runs)
    .filter((run) => run.steps.length === expected && run.steps.at(-1)?.status === 0);
  return scenario.atOnce * scenario.series - succeeded.length;
}
