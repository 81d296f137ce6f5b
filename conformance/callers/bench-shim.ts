/**
 * `make bench-shim`: what the users of containerd, Docker and the kubelet wait for and what each pod holds in memory, with reg's shim, and with
 * runc's shim that calls reg, crun and runc.
 *
 *   bench-shim.js [--rounds N] [--pods 1,20,200] [--execs N] [--callers containerd,docker,cri] [--write]
 *
 * Every round takes one sample of each contender, in an order that turns from round to round; ratios are those of samples of the same
 * round. Memory is that of the shims alone, as the kernel sums it (smaps_rollup). --write puts the table into SHIM.md and the chart into shim.svg
 * beside this.
 */
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pairedRatios, quantile } from "../bench/statistics.ts";
import { barChart } from "../experiments/charts.ts";
import { TOP } from "../paths.ts";
import type { Caller, Runtime } from "./caller.ts";
import { containerd, containerdShim } from "./containerd.ts";
import { cri, criShim } from "./cri.ts";
import { docker, dockerShim } from "./docker.ts";
import { findRuntimes, versionOf, type Workplace, Workshop } from "./workshop.ts";

const TIMEOUT_MS = 600_000;
/** What ratios are to. */
const REFERENCE = "runc.v2 + crun";

interface Contender {
  readonly label: string;
  /** reg's shim is called, instead of runc's. */
  readonly own: boolean;
  readonly runtime: Runtime;
}

interface Subject {
  readonly title: string;
  /** Shell commands that are timed; `$c` is a name. */
  readonly run: string;
  /** What is put right afterwards, and not timed. */
  readonly clean?: string;
  /** How often a round does it; the sample is the median. */
  readonly series: number;
}

interface Group {
  readonly caller: Caller;
  readonly withOwnShim: Caller;
  /** Shell commands after the caller's own, once for each contender. */
  readonly prepare?: string;
  readonly subjects: readonly Subject[];
  /** Shell commands before memory is looked at. */
  readonly finish: string;
}

const POD_OF = 10;

const GROUPS: readonly Group[] = [
  {
    caller: containerd,
    withOwnShim: containerdShim,
    prepare: "ctr run -d $given $image stays sleep 100000",
    subjects: [
      { title: "`ctr run --rm` of true", run: "run --rm -- true", series: 3 },
      { title: "`ctr run -d` of sleep", run: "sleeping", clean: "gone", series: 3 },
      { title: "`ctr task exec` of true", run: "ctr tasks exec --exec-id $c stays true", series: 5 },
      {
        title: "`ctr run --rm`, 100 at once",
        run: "for i in $(seq 100); do ctr run $given --rm $image $c-$i true & done; wait",
        series: 1,
      },
    ],
    finish: "ctr tasks rm -f stays 2>/dev/null; ctr containers rm stays",
  },
  {
    caller: docker,
    withOwnShim: dockerShim,
    subjects: [
      { title: "`docker run --rm` of true", run: "run $image true", series: 3 },
      { title: "`docker exec` of true", run: "docker exec target true", series: 3 },
    ],
    finish: "docker rm -f target",
  },
  {
    caller: cri,
    withOwnShim: criShim,
    subjects: [
      {
        title: `CRI: a pod of ${POD_OF} containers, made`,
        run: `cri pod-of $c ${POD_OF} >$dir/pod`,
        clean: "p=$(cat $dir/pod); gone",
        series: 1,
      },
    ],
    finish: ":",
  },
];

/** Prints for the shims: number, PSS, private and resident kB in all. */
const MEMORY = `memory() {
    for p in $(ps -eo pid,args | awk '$2 ~ /containerd-shim[^/]*$/ { print $1 }'); do cat /proc/$p/smaps_rollup; done |
        awk '/^Pss:/ { n++; pss += $2 } /^Private_Dirty:/ { dirty += $2 } /^Rss:/ { rss += $2 } END { print n, pss, dirty, rss }'
}
private() { memory | cut -d ' ' -f 3; }
`;
const REMOVE = `for i in $(seq $1); do ctr tasks rm -f pod$i 2>/dev/null; ctr containers rm pod$i; done`;
const PODS = `pods() { for i in $(seq $1); do ctr run -d $given $image pod$i sleep 1000 || exit 1; done; sleep 1; memory; ${REMOVE}; }
execs() { ctr run -d $given $image pod1 sleep 1000 || exit 1; sleep 1; private; for i in $(seq $1); do ctr tasks exec --exec-id e$i pod1 true || exit 1; done; sleep 1; private; set -- 1; ${REMOVE}; }
`;
/** A pod of one container, then one of many. */
const FURTHER = `further() { for n in 1 ${POD_OF}; do p=$(cri pod-of further$n $n); sleep 1; private; gone; done; }
`;

async function script(place: Workplace, text: string): Promise<string> {
  const { status, stdout, stderr } = await place.session.run(`${place.prologue}\n${MEMORY}${text}`, TIMEOUT_MS);
  if (status !== 0) throw new Error(`status ${status}: ${stderr.trim() || stdout.trim()}`);
  return stdout.trim();
}

const numbers = (text: string) => text.trim().split(/\s+/).map(Number);

/** Milliseconds. */
async function time(place: Workplace, { run, clean = "", series }: Subject, round: number): Promise<number> {
  const output = await script(
    place,
    `for n in $(seq ${series}); do c=bench${round + 1}-$n; a=$(date +%s%N); { ${run}; } >/dev/null || exit 1; b=$(date +%s%N); echo $((b - a)); { ${clean || ":"}; } >/dev/null 2>&1; done`,
  );
  return quantile(numbers(output), 0.5) / 1e6;
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

interface Row {
  readonly title: string;
  readonly cells: readonly string[];
  /** Of each contender to the reference's; NaN where there is none. */
  readonly ratios?: readonly number[];
}

/** The places of one caller, for the contenders that it works with. */
type Places = ReadonlyMap<Contender, Workplace>;

async function timeSubject(subject: Subject, rounds: number, contenders: readonly Contender[], places: Places) {
  const able = [...places.keys()];
  const samples = new Map(able.map((contender) => [contender.label, new Map<number, number>()]));
  // One round before the first, to fill caches.
  for (let round = -1; round < rounds; round++)
    for (let turn = 0; turn < able.length; turn++) {
      const contender = able[(turn + round + able.length) % able.length] as Contender;
      const sample = await time(places.get(contender) as Workplace, subject, round);
      if (round >= 0) samples.get(contender.label)?.set(round, sample);
    }
  const reference = samples.get(REFERENCE) ?? new Map();
  const ratios = contenders.map(({ label }) => {
    const mine = samples.get(label);
    return mine === undefined ? Number.NaN : quantile(pairedRatios(mine, reference), 0.5);
  });
  const cells = contenders.map(({ label }, index) => {
    const mine = samples.get(label);
    if (mine === undefined) return "-";
    const ratio = ratios[index] ?? Number.NaN;
    return `${digits(quantile([...mine.values()], 0.5))}${Number.isNaN(ratio) ? "" : ` (${ratio.toFixed(2)})`}`;
  });
  return { title: `${subject.title}, ms`, cells, ratios };
}

/** One row of memory: what `tell` makes of the script's numbers, for each contender. */
async function measure(
  title: string,
  contenders: readonly Contender[],
  places: Places,
  text: string,
  tell: (values: readonly number[]) => string,
): Promise<Row> {
  const cells: string[] = [];
  for (const contender of contenders) {
    const place = places.get(contender);
    cells.push(place === undefined ? "-" : tell(numbers(await script(place, text))));
  }
  return { title, cells };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "15" },
      pods: { type: "string", default: "1,20,200" },
      execs: { type: "string", default: "1000" },
      callers: { type: "string", default: GROUPS.map(({ caller }) => caller.name).join(",") },
      write: { type: "boolean", default: false },
    },
  });
  const runtimes = findRuntimes(["reg", "crun", "runc"]);
  const contenders: Contender[] = [
    ...runtimes.filter(({ kind }) => kind === "reg").map((runtime) => ({ label: "reg's shim", own: true, runtime })),
    ...runtimes.map((runtime) => ({ label: `runc.v2 + ${runtime.kind}`, own: false, runtime })),
  ];
  const groups = GROUPS.filter(({ caller }) => values.callers.split(",").includes(caller.name));
  const workshop = new Workshop(groups.map(({ caller }) => caller));
  const rows: Row[] = [];
  const add = (row: Row) => {
    rows.push(row);
    console.log([row.title, ...row.cells].join(" | "));
  };
  for (const { caller, withOwnShim, prepare = "", subjects, finish } of groups) {
    const lacking = [...caller.needs, ...withOwnShim.needs].find((each) => !each.met);
    if (lacking !== undefined) {
      console.log(`${caller.name} is left out: ${lacking.reason}`);
      continue;
    }
    const places = new Map<Contender, Workplace>();
    try {
      for (const contender of contenders) {
        const { own, runtime } = contender;
        const place = await workshop.open(own ? withOwnShim : caller, runtime, "v1"); // the same hierarchies for all
        try {
          await script(place, `${caller.start}\n${prepare}`);
          places.set(contender, place);
        } catch (error) {
          console.log(`${caller.name} does not start with ${contender.label}: ${(error as Error).message}`);
          await workshop.close(place);
        }
      }
      for (const subject of subjects) add(await timeSubject(subject, Number(values.rounds), contenders, places));
      for (const place of places.values()) await script(place, finish);
      if (caller === containerd) {
        for (const pods of values.pods.split(",").filter((count) => Number(count) > 0))
          add(
            await measure(
              `${pods} ${pods === "1" ? "pod" : "pods"}: PSS / private / RSS of each shim, MB`,
              contenders,
              places,
              `${PODS}pods ${pods}`,
              ([count = 1, ...sums]) => sums.map((sum) => (sum / count / 1024).toFixed(2)).join(" / "),
            ),
          );
        if (Number(values.execs) > 0)
          add(
            await measure(
              `private memory before and after ${values.execs} execs, kB`,
              contenders,
              places,
              `${PODS}execs ${values.execs}`,
              ([before, after]) => `${before} / ${after}`,
            ),
          );
      }
      if (caller === cri)
        add(
          await measure(
            `CRI: private memory for each further container of a pod of ${POD_OF}, kB`,
            contenders,
            places,
            `${FURTHER}further`,
            ([one = 0, all = 0]) => ((all - one) / (POD_OF - 1)).toFixed(1),
          ),
        );
    } finally {
      for (const place of places.values()) await workshop.close(place);
    }
  }
  workshop.removeIdleCgroups();
  const table = [
    `| | ${contenders.map(({ label }) => label).join(" | ")} |`,
    `|---|${contenders.map(() => "---:|").join("")}`,
    ...rows.map(({ title, cells }) => `| ${title} | ${cells.join(" | ")} |`),
  ];
  console.log(table.join("\n"));
  if (!values.write) return;
  const engines = groups.map(({ caller }) => versionOf(caller)).join(", ");
  const peers = runtimes.slice(1).map(({ label }) => label);
  const folder = join(TOP, "conformance/callers");
  writeFileSync(
    join(folder, "SHIM.md"),
    `# reg's shim beside runc's

Written by \`make bench-shim\`: ${engines}; ${peers.join(", ")}; Linux ${release()}. Medians of ${values.rounds} rounds, in brackets the median of
the ratios to ${REFERENCE}.

${table.join("\n")}
`,
  );
  const drawn = contenders.toReversed(); // ours is the last of a chart
  writeFileSync(
    join(folder, "shim.svg"),
    barChart(
      `Time, ${REFERENCE} = 1`,
      drawn.map(({ label }) => label),
      rows.flatMap(({ title, ratios }) =>
        ratios === undefined
          ? []
          : [[title.replace(/`|, ms$/g, ""), ratios.toReversed().map((ratio) => Number(ratio.toFixed(2)))] as const],
      ),
      230,
    ),
  );
}

await main();
