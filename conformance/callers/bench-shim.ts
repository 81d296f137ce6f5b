/**
 * `make bench-shim`: what containerd's users wait for and what each pod holds in memory, with reg's shim, and with runc's shim that calls reg, crun
 * and runc.
 *
 *   bench-shim.js [--rounds N] [--pods 1,20,200] [--write]
 *
 * Every round takes one sample of each contender, in an order that turns from round to round; ratios are those of samples of the same
 * round. Memory is that of the shims alone, as the kernel sums it (smaps_rollup). --write puts the table into the README beside this.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pairedRatios, quantile } from "../bench/statistics.ts";
import { TOP } from "../paths.ts";
import type { Caller, Runtime } from "./caller.ts";
import { containerd, containerdShim } from "./containerd.ts";
import { findRuntimes, type Workplace, Workshop } from "./workshop.ts";

const TIMEOUT_MS = 300_000;
/** What ratios are to. */
const REFERENCE = "runc.v2 + crun";

interface Contender {
  readonly label: string;
  readonly caller: Caller;
  readonly runtime: Runtime;
}

interface Subject {
  readonly title: string;
  /** Shell command that is timed; `$c` is a name. */
  readonly run: string;
  /** What is put right afterwards, and not timed. */
  readonly clean?: string;
  /** How often a round does it; the sample is the median. */
  readonly series: number;
}

const SUBJECTS: readonly Subject[] = [
  { title: "`ctr run --rm` of true", run: "run --rm -- true", series: 3 },
  { title: "`ctr run -d` of sleep", run: "sleeping", clean: "gone", series: 3 },
  { title: "`ctr task exec` of true", run: "ctr tasks exec --exec-id $c stays true", series: 5 },
  {
    title: "`ctr run --rm`, 100 at once",
    run: "for i in $(seq 100); do ctr run $given --rm $image $c-$i true & done; wait",
    series: 1,
  },
];

/** Prints for the shims: number, PSS, private and resident kB in all. */
const MEMORY = `memory() {
    for p in $(ps -eo pid,args | awk '$2 ~ /containerd-shim[^/]*$/ { print $1 }'); do cat /proc/$p/smaps_rollup; done |
        awk '/^Pss:/ { n++; pss += $2 } /^Private_Dirty:/ { dirty += $2 } /^Rss:/ { rss += $2 } END { print n, pss, dirty, rss }'
}
pods() { for i in $(seq $1); do ctr run -d $given $image pod$i sleep 1000 || exit 1; done; sleep 1; memory; for i in $(seq $1); do ctr tasks rm -f pod$i 2>/dev/null; ctr containers rm pod$i; done; }
`;

async function script(place: Workplace, text: string): Promise<string> {
  const { status, stdout, stderr } = await place.session.run(`${place.prologue}\n${MEMORY}\n${text}`, TIMEOUT_MS);
  if (status !== 0) throw new Error(`status ${status}: ${stderr.trim() || stdout.trim()}`);
  return stdout.trim();
}

/** Milliseconds. */
async function time(place: Workplace, { run, clean = "", series }: Subject, round: number): Promise<number> {
  const output = await script(
    place,
    `for n in $(seq ${series}); do c=bench${round + 1}-$n; a=$(date +%s%N); { ${run}; } >/dev/null || exit 1; b=$(date +%s%N); echo $((b - a)); { ${clean || ":"}; } >/dev/null 2>&1; done`,
  );
  return quantile(output.split("\n").map(Number), 0.5) / 1e6;
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "15" },
      pods: { type: "string", default: "1,20,200" },
      write: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  const runtimes = findRuntimes(["reg", "crun", "runc"]);
  const own = runtimes.filter(({ kind }) => kind === "reg");
  const contenders: Contender[] = [
    ...own.map((runtime) => ({ label: "reg's shim", caller: containerdShim, runtime })),
    ...runtimes.map((runtime) => ({ label: `runc.v2 + ${runtime.kind}`, caller: containerd, runtime })),
  ];
  const workshop = new Workshop([containerd]);
  const places = new Map<Contender, Workplace>();
  const rows: string[][] = [];
  try {
    for (const contender of contenders) {
      const place = await workshop.open(contender.caller, contender.runtime, "v1"); // the same hierarchies for all
      places.set(contender, place);
      await script(place, `${contender.caller.start}\nctr run -d $given $image stays sleep 100000`);
    }
    const placeOf = (contender: Contender) => places.get(contender) as Workplace;
    for (const subject of SUBJECTS) {
      const samples = new Map(contenders.map(({ label }) => [label, new Map<number, number>()]));
      for (
        let round = -1;
        round < rounds;
        round++ // one before the first, to fill caches
      )
        for (let turn = 0; turn < contenders.length; turn++) {
          const contender = contenders[(turn + round + contenders.length) % contenders.length] as Contender;
          const sample = await time(placeOf(contender), subject, round);
          if (round >= 0) samples.get(contender.label)?.set(round, sample);
        }
      const reference = samples.get(REFERENCE) ?? new Map();
      rows.push([
        `${subject.title}, ms`,
        ...contenders.map(({ label }) => {
          const mine = samples.get(label) ?? new Map<number, number>();
          const ratio = quantile(pairedRatios(mine, reference), 0.5);
          return `${digits(quantile([...mine.values()], 0.5))}${Number.isNaN(ratio) ? "" : ` (${ratio.toFixed(2)})`}`;
        }),
      ]);
      console.log(rows.at(-1)?.join(" | "));
    }
    for (const contender of contenders)
      await script(placeOf(contender), "ctr tasks rm -f stays 2>/dev/null; ctr containers rm stays");
    for (const pods of values.pods.split(",")) {
      const cells: string[] = [];
      for (const contender of contenders) {
        const [count = 1, ...sums] =
          (await script(placeOf(contender), `pods ${pods}`)).split("\n")[0]?.split(" ").map(Number) ?? [];
        cells.push(sums.map((sum) => (sum / count / 1024).toFixed(2)).join(" / "));
      }
      rows.push([`${pods} ${pods === "1" ? "pod" : "pods"}: PSS / private / RSS of each shim, MB`, ...cells]);
      console.log(rows.at(-1)?.join(" | "));
    }
  } finally {
    for (const place of places.values()) await workshop.close(place);
    workshop.removeIdleCgroups();
  }
  const table = [
    `| | ${contenders.map(({ label }) => label).join(" | ")} |`,
    `|---|${contenders.map(() => "---:|").join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ];
  console.log(table.join("\n"));
  if (!values.write) return;
  const path = join(TOP, "conformance/callers/README.md");
  const note = `Medians of ${rounds} rounds, in brackets the ratio to ${REFERENCE}.`;
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(
      /(<!-- shim -->\n).*?(<!-- \/shim -->)/s,
      `$1${note}\n\n${table.join("\n")}\n$2`,
    ),
  );
}

await main();
