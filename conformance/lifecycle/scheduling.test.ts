/** Where a container's processes run and take their memory from. */
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";

const scheduling = suite("scheduling");
const onNuma = needs(scheduling, root, mounting, cgroups, need("memory nodes", hasNodes()));
const cpus = allowed(readFileSync("/proc/self/status", "utf8"));
const twoCpus = need("processors 0 and 1", /^0[-,]1$/.test(cpus) || cpus.startsWith("0-"));
const onTwo = needs(scheduling, root, mounting, cgroups, twoCpus);
const pinned = needs(scheduling, root, mounting, cgroups, twoCpus, program("taskset"));

function hasNodes(): boolean {
  try {
    return readdirSync("/sys/devices/system/node").includes("node0") && readdirSync("/proc/self").includes("numa_maps");
  } catch {
    return false;
  }
}

function allowed(status: string): string {
  return /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? "";
}

function output(fixture: Fixture, script: string, change: (spec: Spec) => void): string {
  const { status, stdout, stderr } = fixture.reg("run", "--bundle", fixture.shell(script, change).path, fixture.id());
  assert.is(status, 0, stderr);
  return stdout;
}

const POLICIES: [policy: object, shown: RegExp][] = [
  [{ mode: "MPOL_BIND", nodes: "0" }, /^\w+ bind:0 /m],
  [{ mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }, /^\w+ interleave=static:0 /m],
  [{ mode: "MPOL_LOCAL" }, /^\w+ local /m],
];
for (const [policy, shown] of POLICIES)
  onNuma(`memory policy ${JSON.stringify(policy)}`, () =>
    withFixture((fixture) => {
      const text = output(fixture, "cat /proc/self/numa_maps", (spec) => {
        spec.linux.memoryPolicy = policy;
      });
      assert.match(text, shown);
    }),
  );

onNuma("a process of exec has the container's memory policy", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper((spec) => {
      spec.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "0" };
    });
    const id = fixture.launch(bundle);
    assert.match(fixture.succeed("exec", id, "cat", "/proc/self/numa_maps"), /^\w+ bind:0 /m);
  }),
);

onNuma("memory nodes that are not there are an error that names the field", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("true", (spec) => {
      spec.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "1000" };
    });
    fixture.fail(/set_mempolicy\(2\) MPOL_BIND 1000.*\[\/linux\/memoryPolicy\]/, ["run", "-b", bundle.path, "x"]);
  }),
);

pinned("a container is not confined to the processors of the runtime's caller", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("cat /proc/self/status");
    const { stdout } = fixture.host("taskset", "-c", "0", ...fixture.command("run", "-b", bundle.path, fixture.id()));
    assert.is(allowed(stdout), cpus);
  }),
);

onTwo("execCPUAffinity is for exec, not for the container's own process", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("cat /proc/self/status > /dev/shm/init; sleep 100000", (spec) => {
      spec.process.execCPUAffinity = { initial: "0", final: "1" };
    });
    const id = fixture.launch(bundle);
    assert.is(allowed(fixture.succeed("exec", id, "cat", "/proc/self/status")), "1");
    const init = readFileSync(`/proc/${fixture.state(id).pid}/status`, "utf8");
    assert.is(allowed(init), cpus);
  }),
);

scheduling.run();
