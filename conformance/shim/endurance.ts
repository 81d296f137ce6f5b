/**
 * `make endurance`: what a shim costs after a long time, and how fast it answers under load; too long for a test. Everything goes over its socket, as
 * containerd calls it.
 *
 *   endurance.js [--cycles 10000] [--execs 3600] [--containers 50] [--pods 20] [--only cycles,execs,storm,pods]
 *
 * Prints what it has measured, and fails when descriptors or memory have grown, or State was late.
 */
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { quantile } from "../bench/statistics.ts";
import type { Bundle } from "../fixtures/bundle.ts";
import { ShimFixture, sleep, type Tasks } from "../fixtures/shim-fixture.ts";

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "10000" },
    execs: { type: "string", default: "3600" },
    containers: { type: "string", default: "50" },
    pods: { type: "string", default: "20" },
    only: { type: "string", default: "cycles,execs,storm,pods" },
  },
});
/** What a shim may have more after a long time than after a short one. */
const MEMORY_KB = 100;
/** And after many at once: what lives on lies among what does not. */
const STORM_KB = 300;
const STATE_MS = 200;
/** Until the most that are under way at once have had their memory. */
const WARM = 200;
const REPORTS = 10;

const faults: string[] = [];

function expect(what: string, met: boolean): void {
  if (!met) faults.push(what);
}

interface Size {
  readonly descriptors: number;
  readonly pssKb: number;
  readonly privateKb: number;
  readonly rssKb: number;
}

/** What the kernel counts for a process, in kB. */
function sizeOf(pid: number): Size {
  const sums = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(sums)?.[1]);
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    pssKb: of("Pss"),
    privateKb: of("Anonymous"), // Private_Dirty also counts pages of a binary that was just built
    rssKb: of("Rss"),
  };
}

function show(what: string, { descriptors, pssKb, privateKb, rssKb }: Size): void {
  console.log(`${what}: ${descriptors} descriptors, private ${privateKb} kB, PSS ${pssKb} kB, RSS ${rssKb} kB`);
}

/** Does something many times, and compares the shim's size after the first with that after the last. */
async function repeat(what: string, count: number, pid: number, once: (index: number) => Promise<void>): Promise<void> {
  const warm = Math.min(WARM, count);
  const began = Date.now();
  let first: Size | undefined;
  for (let index = 0; index < count; index++) {
    await once(index);
    const done = index + 1;
    if (done !== warm && done % Math.ceil(count / REPORTS) !== 0 && done !== count) continue;
    await sleep(2000); // memory is looked through when nothing happens, also on a busy machine
    const size = sizeOf(pid);
    show(`${what} ${done}`, size);
    first ??= size;
    expect(`descriptors after ${done} ${what}`, size.descriptors <= first.descriptors);
    expect(`memory after ${done} ${what}`, size.privateKb - first.privateKb <= MEMORY_KB);
  }
  console.log(`${what}: ${((Date.now() - began) / count).toFixed(1)} ms each`);
}

/** What the process has used of the processors, without its children. Source: proc_pid_schedstat. */
function cpuMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

const PROCESS = {
  typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
  value: Buffer.from(JSON.stringify({ args: ["/bin/true"], cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } })),
};

async function exec(tasks: Tasks, id: string, execId: string): Promise<void> {
  await tasks.call("Exec", { id, execId, spec: PROCESS });
  const ended = tasks.call("Wait", { id, execId });
  await tasks.call("Start", { id, execId });
  const { exitStatus } = await ended;
  expect(`exit status ${exitStatus} of ${execId}`, exitStatus === 0);
  await tasks.call("Delete", { id, execId });
}

function memberOf(shim: ShimFixture, pod: string, script: string): Bundle {
  return shim.bundle(script, (spec) => {
    spec.annotations = { "io.kubernetes.cri.sandbox-id": pod };
  });
}

async function begin(shim: ShimFixture, tasks: Tasks, bundle: Bundle): Promise<string> {
  const id = shim.fixture.id();
  await tasks.call("Create", { id, bundle: bundle.path, options: shim.options() });
  await tasks.call("Start", { id });
  return id;
}

async function end(tasks: Tasks, id: string): Promise<void> {
  await tasks.call("Kill", { id, signal: 9 }).catch(() => undefined); // it may have ended
  await tasks.call("Wait", { id });
  await tasks.call("Delete", { id });
}

/** A shim with the first container of a pod. */
async function withPod(
  body: (shim: ShimFixture, tasks: Tasks, pod: string, pid: number) => Promise<void>,
): Promise<void> {
  const shim = new ShimFixture();
  try {
    await shim.open();
    const { id, tasks } = await shim.create(shim.bundle("exec sleep 1000000"));
    await tasks.call("Start", { id });
    await body(shim, tasks, id, await shim.pid(tasks));
    shim.events.length = 0;
    await end(tasks, id);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    shim.assertNothingLeft();
  } finally {
    await shim.remove();
  }
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  cycles: () =>
    withPod(async (shim, tasks, pod, pid) => {
      const bundle = memberOf(shim, pod, "true");
      await repeat("containers", Number(values.cycles), pid, async () => {
        await end(tasks, await begin(shim, tasks, bundle));
        shim.events.length = 0;
      });
    }),
  execs: () =>
    withPod(async (shim, tasks, pod, pid) => {
      const before = sizeOf(pid);
      show("one container", before);
      await repeat("execs", Number(values.execs), pid, async (index) => {
        await exec(tasks, pod, `probe${index}`);
        shim.events.length = 0;
      });
      expect("memory back after the execs", sizeOf(pid).privateKb - before.privateKb <= MEMORY_KB);
    }),
  storm: () =>
    withPod(async (shim, tasks, pod, pid) => {
      const count = Number(values.containers);
      const before = sizeOf(pid);
      const ids: string[] = [];
      for (let index = 0; index < count; index++)
        ids.push(await begin(shim, tasks, memberOf(shim, pod, "exec sleep 1000000")));
      await sleep(1000);
      const size = sizeOf(pid);
      show(`${count + 1} containers`, size);
      const each = (size.privateKb - before.privateKb) / count;
      console.log(
        `a further container: ${each.toFixed(1)} kB, ${((size.descriptors - before.descriptors) / count).toFixed(1)} descriptors`,
      );
      expect("memory of a further container", each <= 40);
      const times: number[] = [];
      let storming = true;
      const poll = (async () => {
        const other = await shim.connect({ socket: shim.sockets[0] ?? "", version: 3 });
        for (let turn = 0; storming; turn++) {
          const began = performance.now();
          await other.call("State", { id: ids[turn % count] ?? pod });
          times.push(performance.now() - began);
          await sleep(10);
        }
      })();
      const cpu = cpuMs(pid);
      const began = Date.now();
      await Promise.all(
        ids.map(async (id) => {
          for (let index = 0; index < 20; index++) await exec(tasks, id, `storm${index}`);
        }),
      );
      storming = false;
      await poll;
      const [half, most, all] = [0.5, 0.99, 1].map((part) => quantile(times, part));
      console.log(
        `${count * 20} execs in ${Date.now() - began} ms, ${((cpuMs(pid) - cpu) / count / 20).toFixed(2)} ms of the shim's for each; State each 10 ms, ${times.length} answers: median ${half?.toFixed(1)} ms, 99 % ${most?.toFixed(1)} ms, at most ${all?.toFixed(1)} ms`,
      );
      expect("State in time", (all ?? 0) < STATE_MS);
      await sleep(3000); // its events have to be taken, too
      const after = sizeOf(pid);
      show("after the storm", after);
      expect("memory back after the storm", after.privateKb - size.privateKb <= STORM_KB);
      for (const id of ids) await end(tasks, id);
    }),
  pods: async () => {
    const shim = new ShimFixture();
    try {
      await shim.open();
      const pids: number[] = [];
      for (let index = 0; index < Number(values.pods); index++) {
        const { id, tasks } = await shim.create(shim.bundle("exec sleep 1000000"));
        await tasks.call("Start", { id });
        pids.push(await shim.pid(tasks));
      }
      await sleep(1000);
      const sizes = pids.map(sizeOf);
      const mean = (of: (size: Size) => number) => sizes.reduce((sum, size) => sum + of(size), 0) / sizes.length / 1024;
      const [pss, own, rss] = [mean((s) => s.pssKb), mean((s) => s.privateKb), mean((s) => s.rssKb)];
      console.log(
        `${pids.length} pods, each: PSS ${pss.toFixed(2)} MB, private ${own.toFixed(2)} MB, RSS ${rss.toFixed(2)} MB`,
      );
      expect("memory of a pod", pss <= 1.5 && own <= 1.2 && rss <= 3.4);
    } finally {
      await shim.remove();
    }
  },
};

for (const name of values.only.split(",")) {
  const part = parts[name];
  if (part === undefined) throw new Error(`no part ${name}; known: ${Object.keys(parts).join(", ")}`);
  console.log(`== ${name}`);
  await part();
}
for (const fault of faults) console.log(`grown or late: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;
