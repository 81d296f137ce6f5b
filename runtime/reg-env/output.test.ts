import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RegError } from "../errors/errors.ts";
import { formatError, table } from "./output.ts";

const output = suite("output of reg-env");

output("shows names of a root filesystem without what a terminal obeys", () => {
  assert.is(table(["NAME"], [["a\x1b[2J\nb"]]), "NAME\na\\x1b[2J\\nb");
  const error = new RegError("ENOENT", "\x9bm is missing", { hint: "look for \x1b" });
  assert.is(formatError(error), "\\x9bm is missing\nhint: look for \\x1b");
});

output.run();
