import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compareVersions } from "../peers.ts";
import { pairedRatios, quantile, summarize } from "./statistics.ts";

const statistics = suite("bench statistics");

statistics("the median of an even count lies between the two in the middle", () => {
  assert.is(quantile([4, 1, 3, 2], 0.5), 2.5);
});

statistics("quartiles enclose the middle half", () => {
  assert.equal(summarize([1, 2, 3, 4, 5]), { count: 5, median: 3, low: 2, high: 4 });
});

statistics("no samples give no number", () => assert.ok(Number.isNaN(summarize([]).median)));

statistics("ratios pair samples of one round and drop the others", () => {
  const samples = new Map([
    [0, 2],
    [1, 9],
    [2, 6],
  ]);
  const reference = new Map([
    [0, 4],
    [2, 3],
  ]);
  assert.equal(pairedRatios(samples, reference), [0.5, 2]);
});

statistics("versions are compared number by number", () => {
  assert.ok(compareVersions("1.8.1", "1.28") < 0);
  assert.ok(compareVersions("1.28", "1.8.1") > 0);
  assert.is(compareVersions("1.1.5", "1.1.5"), 0);
  assert.ok(compareVersions("1.1", "1.1.1") < 0);
});

statistics.run();
