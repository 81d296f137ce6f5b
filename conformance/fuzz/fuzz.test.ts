/** The runtime under documents made from their schemas and then broken: fixed seeds, so that what passes once passes again. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cgroups, mounting, needs, root } from "../testing.ts";
import { KINDS } from "./cases.ts";
import { fuzz } from "./run.ts";

const fuzzing = suite("fuzz");
const test = needs(fuzzing, root, mounting, cgroups);

const SEEDS = { config: 125, process: 75, resources: 25, container: 25 };

for (const kind of KINDS)
  test(`takes ${SEEDS[kind]} odd documents of kind ${kind}`, () => {
    assert.equal(fuzz(1, SEEDS[kind], [kind]), []);
  });

fuzzing.run();
