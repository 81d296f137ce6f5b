/** The tables of callers that were run at different times become one document. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Caller, Runtime } from "./caller.ts";
import { type CaseResult, formatResults, formatSuites, judge, mergeResults } from "./results.ts";

const results = suite("results of callers");

const reg: Runtime = { kind: "reg", path: "/reg", label: "reg" };
const crun: Runtime = { kind: "crun", path: "/crun", label: "crun 1" };

/** One caller with one case. */
function table(caller: string, result: "passed" | "failed", runtimes: readonly Runtime[] = [reg]): string {
  const verdicts = runtimes.map((runtime) => ({ runtime, result, reason: "" }));
  const one: CaseResult = { caller, name: "run", verdicts };
  return formatResults([one], runtimes, new Map([[caller, `${caller} 1.0`]]));
}

results("a caller that was run again has its new rows, the others have theirs", () => {
  const both = mergeResults(table("podman", "failed"), table("docker", "failed"));
  assert.match(
    both,
    /^\| podman 1\.0 \| 0 of 1 \|\n\| docker 1\.0 \| 0 of 1 \|\n\n## podman\n.*\n\n## docker\n.*\*\*failed\*\* \|\n$/ms,
  );
  const merged = mergeResults(both, table("podman", "passed"));
  assert.match(merged, /^\| podman 1\.0 \| 1 of 1 \|\n\| docker 1\.0 \| 0 of 1 \|\n\n## podman/m);
  assert.is(merged.match(/^## /gm)?.length, 2);
  assert.is(mergeResults(merged, table("podman", "passed")), merged);
});

results("what was run with other runtimes is not mixed", () => {
  const later = table("podman", "passed", [reg, crun]);
  assert.is(mergeResults(table("docker", "passed"), later), later);
  assert.is(mergeResults("", later), later);
});

results("the suites are the columns of one table, whose heads name the runtimes", () => {
  const both = mergeResults(table("podman", "passed"), table("docker", "failed"));
  const peers = table("podman", "passed", [reg, crun]);
  assert.equal(
    formatSuites(
      new Map([
        ["old", both],
        ["new", peers],
      ]),
    ),
    [
      "| caller | old: reg | new: reg, crun 1 |",
      "| --- | --- | --- |",
      "| docker | 1.0: 0/1 |  |",
      "| podman | 1.0: 1/1 | 1.0: 1/1, 1/1 |",
    ],
  );
});

results("a reason does not tell in which folder a bundle was", () => {
  const one = { name: "run", run: "true" };
  const caller: Caller = {
    name: "ctr",
    needs: [],
    version: ["true"],
    configure: () => "",
    start: "",
    cases: [one],
  };
  const outcome = {
    status: 1,
    stdout: "",
    stderr: "open /run/containerd-state/io.task/MARK/case1/log.json: not there",
  };
  const [result] = judge(caller, [one], [{ runtime: reg, outcomes: [outcome] }]);
  assert.match(result?.verdicts[0]?.reason ?? "", /open BUNDLE\/\.\.\.: not there/);
});

results.run();
