import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RegError } from "../errors/errors.ts";
import { checkDomain, storeDirectory } from "./layout.ts";
import { formatEnvironmentName, parseEnvironmentName } from "./name.ts";

const names = suite("names in a store");

for (const text of ["python@3.11", "g++@12.2.0-14+deb12u1", "a@1:2.3~rc1", "0ad@A_b", "ca-certificates@20230311"])
  names(`${text} is the name of an environment`, () => {
    assert.is(formatEnvironmentName(parseEnvironmentName(text)), text);
  });

const BAD: readonly (readonly [string, RegExp])[] = [
  ["python", /has no version/],
  ["", /has no version/],
  ["@1", /no good name/],
  ["Python@3", /no good name/],
  ["-a@1", /no good name/],
  ["a/b@1", /no good name/],
  ["a..b@1", /no good name/],
  ["a@", /no good version/],
  ["a@../../etc", /no good version/],
  ["a@1@2", /no good version/],
  ["a@..", /no good version/],
  ["a@1\n", /no good version/],
  ["a\0@1", /no good name/],
  [`${"a".repeat(300)}@1`, /too long/],
];
for (const [text, message] of BAD)
  names(`${JSON.stringify(text.slice(0, 20))} is not`, () => {
    assert.throws(
      () => parseEnvironmentName(text),
      (error: unknown) => error instanceof RegError && message.test(error.message) && error.hint !== undefined,
    );
  });

names("a sharing domain is one directory of the store", () => {
  assert.is(storeDirectory("/var/lib/reg/", "tenant-a"), "/var/lib/reg/tenant-a");
  for (const domain of ["", ".", "..", "a/b", "A", "a..b", "-a", "x".repeat(64)])
    assert.throws(() => checkDomain(domain), /no good name/, JSON.stringify(domain));
  assert.throws(() => storeDirectory("var", "a"), /not an absolute path/);
});

names.run();
