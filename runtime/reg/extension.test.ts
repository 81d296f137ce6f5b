import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../errors/errors.ts";
import { parseConfig } from "../oci/parse.ts";
import { InvalidDocument } from "../oci/validate.ts";
import { extensionOf } from "./extension.ts";

const extension = suite("reg extension");

const config = (more: object) => parseConfig(JSON.stringify({ ociVersion: "1.3.0", ...more }), "config.json");
const annotated = (annotations: Record<string, string>) =>
  extensionOf(config({ annotations: prefixed({ environments: "web@1", ...annotations }) }));
const prefixed = (given: Record<string, string>) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [`org.reg.${name}`, value]));

extension("is not there in a config without it", () => {
  assert.is(extensionOf(config({ root: { path: "rootfs" }, annotations: { "org.regular": "x" } })), undefined);
});

extension("is the reg object", () => {
  const reg = { environments: ["python@3.11", "ca-certificates@20230311"], writable: { type: "tmpfs", size: "64m" } };
  const found = extensionOf(config({ reg }));
  assert.equal(found?.reg, reg);
  assert.is(found?.pointer("writable"), "/reg/writable");
});

const SAME: readonly (readonly [annotations: Record<string, string>, reg: object])[] = [
  [{ environments: "python@3.11, git@1:2.39" }, { environments: ["python@3.11", "git@1:2.39"] }],
  [
    { store: "/srv/reg", domain: "tenant-a" },
    { store: "/srv/reg", domain: "tenant-a" },
  ],
  [{ writable: "none" }, { writable: { type: "none" } }],
  [{ writable: "tmpfs:64m" }, { writable: { type: "tmpfs", size: "64m" } }],
  [{ writable: "directory" }, { writable: { type: "directory" } }],
  [{ writable: "directory:/var/web" }, { writable: { type: "directory", path: "/var/web" } }],
  [{ workdir: ".:/src" }, { workdir: { source: ".", destination: "/src" } }],
  [{ workdir: ".:/src:ro" }, { workdir: { source: ".", destination: "/src", readonly: true } }],
];
for (const [annotations, reg] of SAME)
  extension(`is said by annotations: ${JSON.stringify(annotations)}`, () => {
    const found = annotated(annotations);
    assert.equal(found?.reg, { environments: ["web@1"], ...reg });
    assert.is(found?.pointer("store"), "/annotations/org.reg.store");
  });

extension("refuses both forms at once", () => {
  const both = config({ reg: { environments: ["web@1"] }, annotations: prefixed({ environments: "web@1" }) });
  assert.throws(() => extensionOf(both), /either the reg object or org.reg.\*, found both/);
});

extension("reports every annotation at fault, with what was meant", () => {
  try {
    annotated({ writeable: "tmpfs", workdir: "/src" });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, ConfigError);
    assert.is((error as ConfigError).faults.length, 2);
    assert.match((error as ConfigError).message, 'did you mean "org.reg.writable"?');
  }
});

for (const annotations of [
  { environments: "web" },
  { environments: "" },
  { domain: "A/B" },
  { store: "relative" },
  { writable: "ramdisk" },
  { writable: "tmpfs:lots" },
  { writable: "none:1m" },
  { workdir: ".:src" },
])
  extension(`refuses ${JSON.stringify(annotations)}`, () => {
    assert.throws(
      () => annotated(annotations),
      (error: unknown) => error instanceof InvalidDocument,
    );
  });

for (const [reg, words] of [
  [{ environments: [] }, "at least one environment"],
  [{ environments: ["web@1"], writable: { type: "directory", size: "1m" } }, "no size without type tmpfs"],
  [{ environments: ["web@1"], writable: { type: "tmpfs", path: "x" } }, "no path without type directory"],
] as const)
  extension(`a reg object at fault is an invalid config: ${words}`, () => {
    assert.throws(
      () => config({ reg }),
      (error: unknown) => error instanceof InvalidDocument,
    );
  });

extension.run();
