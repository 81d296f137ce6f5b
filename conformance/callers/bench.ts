/**
 * `make bench-callers`: what a user waits for. `podman run`, `ctr run` and `docker run` of /bin/true with reg and its peers, and the containers that
 * Podman and containerd ask for, made without them.
 *
 *   bench.js [--rounds N] [--write]
 *
 * Every round takes one sample of each runtime, in an order that turns from round to round; ratios are those of samples of the same round.
 * The config.json that is measured is the one that the caller wrote, with another program and another cgroup; measure.c runs it. All
 * runtimes have the same cgroup hierarchies, those that crun works with (see session.ts). --write puts the table into the README beside this.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { pairedRatios, quantile } from "../bench/statistics.ts";
import { TOOLS, TOP } from "../paths.ts";
import type { Caller, Runtime } from "./caller.ts";
import { containerd } from "./containerd.ts";
import { docker } from "./docker.ts";
import { podman } from "./podman.ts";
import { findRuntimes, type Workplace, Workshop } from "./workshop.ts";

const TIMEOUT_MS = 120_000;
/** Runs that make one sample, one after the other; the sample is their median. */
const SERIES = 3;
const CONFIG_SERIES = 5;
/** What ratios are to. */
const REFERENCE = "crun";

interface Subject {
  readonly caller: Caller;
  readonly title: string;
  /** Shell command: a container that runs /bin/true and is gone when it ends. `$c` is a name. */
  readonly run: string;
  /** Shell commands: start a container that stays, with so many volumes that it has 20 mounts, and print its bundle and its config.json. */
  readonly config?: string;
}

const SUBJECTS: readonly Subject[] = [
  {
    caller: podman,
    title: "podman run --rm",
    run: "run --rm $image true",
    config: `c=bench; sleeping $(for i in $(seq 10); do mkdir -p $dir/b$i; echo -v $dir/b$i:/mnt/$i; done)
file=$(podman inspect --format '{{.OCIConfigPath}}' bench); dirname $file; cat $file`,
  },
  {
    caller: containerd,
    title: "ctr run --rm --seccomp",
    run: "run --rm --seccomp -- true",
    config: `c=bench; sleeping --seccomp $(for i in $(seq 13); do mkdir -p $dir/b$i; echo --mount type=bind,src=$dir/b$i,dst=/mnt/$i,options=rbind:rw; done)
bundle=/run/containerd-state/io.containerd.runtime.v2.task/$mark/bench; echo $bundle; cat $bundle/config.json`,
  },
  { caller: docker, title: "docker run --rm", run: "run $image true" },
];

/** Milliseconds by runtime and round. */
type Samples = Map<Runtime["kind"], Map<number, number>>;

interface Row {
  readonly title: string;
  readonly samples: Samples;
}

async function script(place: Workplace, text: string): Promise<string> {
  const { status, stdout, stderr } = await place.session.run(`${place.prologue}\n${text}`, TIMEOUT_MS);
  if (status !== 0) throw new Error(`status ${status}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

async function interleave(
  runtimes: readonly Runtime[],
  rounds: number,
  sample: (runtime: Runtime, round: number) => Promise<number>,
): Promise<Samples> {
  const samples: Samples = new Map(runtimes.map(({ kind }) => [kind, new Map()]));
  // One round before the first: caches are filled, as those of filters.
  for (let round = -1; round < rounds; round++)
    for (let turn = 0; turn < runtimes.length; turn++) {
      const runtime = runtimes[(turn + round + runtimes.length) % runtimes.length];
      if (runtime === undefined) continue;
      const value = await sample(runtime, round);
      if (round >= 0) samples.get(runtime.kind)?.set(round, value);
    }
  return samples;
}

/** Times the caller's own command, from inside the session. */
async function timeRuns(place: Workplace, { run }: Subject, round: number): Promise<number> {
  const output = await script(
    place,
    `for i in $(seq ${SERIES}); do c=bench${round + 1}-$i; a=$(date +%s%N); ${run} >/dev/null || exit 1; b=$(date +%s%N); echo $((b - a)); done`,
  );
  return quantile(output.trim().split("\n").map(Number), 0.5) / 1e6;
}

interface Config {
  process: { args: string[]; terminal?: boolean };
  root: { path: string };
  mounts: unknown[];
  linux: { cgroupsPath: string; seccomp?: { syscalls?: { names: string[] }[] } };
}

/** Makes a bundle of the caller's config.json. Its root filesystem and its mounts are those of the container that stays. */
function makeBundle(output: string, place: Workplace): { readonly path: string; readonly title: string } {
  const end = output.indexOf("\n");
  const config: Config = JSON.parse(output.slice(end));
  const path = join(place.folder, "bench-bundle");
  mkdirSync(path);
  config.process = { ...config.process, args: ["/bin/true"], terminal: false };
  config.root.path = resolve(output.slice(0, end), config.root.path);
  config.linux.cgroupsPath = `/${place.mark}/bench-measured`;
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  const rules = (config.linux.seccomp?.syscalls ?? []).flatMap(({ names }) => names).length;
  return { path, title: `${config.mounts.length} mounts, filter of ${rules} system calls` };
}

/** create + start + delete, by measure.c. */
async function timeLifecycle(place: Workplace, bundle: string, { path, kind }: Runtime): Promise<number> {
  const call = `${path} --root /run/bench-${kind}`;
  const pidFile = `${place.folder}/bench-pid`;
  const errors = `${place.folder}/bench-errors`;
  const steps = [
    `${call} create --bundle ${bundle} --pid-file ${pidFile} 'bench-{}'`,
    `${call} start 'bench-{}'`,
    `@wait ${pidFile}`,
    `${call} delete 'bench-{}'`,
  ];
  const output = await script(
    place,
    `mkdir -p /run/bench-${kind}; ${join(TOOLS, "measure")} -n ${CONFIG_SERIES} -k 1 -e ${errors} -- ${steps.join(" + ")}`,
  );
  const runs = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ run }) => run !== undefined);
  const bad = runs.some(({ steps: done }) => done.length !== 3 || done.at(-1).status !== 0);
  if (bad)
    throw new Error(
      `${kind} fails with the caller's config: ${readFileSync(errors, "utf8").trim().split("\n").at(-1)}`,
    );
  return (
    quantile(
      runs.map(({ wall }) => wall),
      0.5,
    ) / 1e6
  );
}

async function benchSubject(
  subject: Subject,
  runtimes: readonly Runtime[],
  rounds: number,
  workshop: Workshop,
): Promise<Row[]> {
  const { caller, title, config } = subject;
  const missing = caller.needs.filter(({ met }) => !met).map(({ reason }) => reason);
  if (missing.length > 0) {
    console.log(`${title}: skipped, ${missing.join(", ")}`);
    return [];
  }
  const places = new Map<Runtime["kind"], Workplace>();
  try {
    for (const runtime of runtimes) {
      const place = await workshop.open(caller, runtime, "v1"); // the same for all
      places.set(runtime.kind, place);
      await script(place, caller.start);
    }
    const placeOf = ({ kind }: Runtime) => {
      const place = places.get(kind);
      if (place === undefined) throw new Error(`${kind} has no place`);
      return place;
    };
    const rows = [
      {
        title,
        samples: await interleave(runtimes, rounds, (runtime, round) => timeRuns(placeOf(runtime), subject, round)),
      },
    ];
    const place = places.get("crun") ?? places.get("reg");
    if (config === undefined || place === undefined) return rows;
    const bundle = makeBundle(await script(place, config), place);
    const samples = await interleave(runtimes, rounds, (runtime) => timeLifecycle(place, bundle.path, runtime));
    return [...rows, { title: `create + start + delete, config.json of ${caller.name} (${bundle.title})`, samples }];
  } finally {
    for (const place of places.values()) await workshop.close(place);
    workshop.removeIdleCgroups();
  }
}

function cell({ samples }: Row, { kind }: Runtime): string {
  const own = samples.get(kind) ?? new Map();
  const ratio = quantile(pairedRatios(own, samples.get(REFERENCE) ?? new Map()), 0.5);
  const digits = (value: number) =>
    value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
  return `${digits(quantile([...own.values()], 0.5))}${Number.isNaN(ratio) ? "" : ` (${ratio.toFixed(2)})`}`;
}

function formatTable(rows: readonly Row[], runtimes: readonly Runtime[]): string[] {
  return [
    `| ms | ${runtimes.map(({ label }) => label).join(" | ")} |`,
    `|---|${runtimes.map(() => "---:|").join("")}`,
    ...rows.map((row) => `| ${row.title} | ${runtimes.map((runtime) => cell(row, runtime)).join(" | ")} |`),
  ];
}

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "15" }, write: { type: "boolean", default: false } },
});
const workshop = new Workshop(SUBJECTS.map(({ caller }) => caller));
const runtimes = findRuntimes(["reg", "crun", "runc"]);
const rows: Row[] = [];
for (const subject of SUBJECTS) rows.push(...(await benchSubject(subject, runtimes, Number(values.rounds), workshop)));
const table = formatTable(rows, runtimes);
console.log(table.join("\n"));
if (values.write) {
  const path = join(TOP, "conformance/callers/README.md");
  const text = readFileSync(path, "utf8");
  const note = `Medians in milliseconds, in brackets the ratio to ${REFERENCE}; ${values.rounds} rounds.`;
  writeFileSync(
    path,
    text.replace(/(<!-- callers -->\n).*?(<!-- \/callers -->)/s, `$1${note}\n\n${table.join("\n")}\n$2`),
  );
}
