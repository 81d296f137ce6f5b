import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../errors/errors.ts";
import { parseConfig } from "../oci/parse.ts";
import { InvalidDocument } from "../oci/validate.ts";
import { extensionOf, extensionOfAnnotations } from "./extension.ts";

const extension = suite("reg extension");

const config = (more: object) => parseConfig(JSON.stringify({ ociVersion: "1.3.0", ...more }), "config.json");
const EVERYTHING = {
  annotations: { stores: ["/srv/reg"], domains: ["tenant-a"], writableDirectory: true, workdir: true },
};
const unasked = () => {
  throw new Error("the host was asked");
};
const annotated = (annotations: Record<string, string>, host: () => object = () => EVERYTHING) =>
  extensionOf(config({ annotations: prefixed({ environments: "web@1", ...annotations }) }), host);
const prefixed = (given: Record<string, string>) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [`org.reg.${name}`, value]));

extension("is not there in a config without it", () => {
  assert.is(extensionOf(config({ root: { path: "rootfs" }, annotations: { "org.regular": "x" } }), unasked), undefined);
});

extension("is the reg object", () => {
  const reg = { environments: ["python@3.11", "ca-certificates@20230311"], writable: { type: "tmpfs", size: "64m" } };
  const found = extensionOf(config({ reg }), unasked);
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
  [{ writable: "directory:var/web" }, { writable: { type: "directory", path: "var/web" } }],
  [{ workdir: ".:/src" }, { workdir: { source: ".", destination: "/src" } }],
  [{ workdir: ".:/src:ro" }, { workdir: { source: ".", destination: "/src", readonly: true } }],
];
for (const [annotations, reg] of SAME)
  extension(`is said by annotations: ${JSON.stringify(annotations)}`, () => {
    const found = annotated(annotations);
    assert.equal(found?.reg, { environments: ["web@1"], ...reg });
    assert.is(found?.pointer("store"), "/annotations/org.reg.store");
  });

for (const annotations of [
  { store: "/var/lib/reg", domain: "default" },
  { writable: "tmpfs:1m" },
  { writable: "none" },
])
  extension(`needs no leave of the host for ${JSON.stringify(annotations)}`, () => {
    assert.is(annotated(annotations, unasked)?.confined, true);
  });

const FORBIDDEN: readonly (readonly [annotations: Record<string, string>, host: object, expected: string])[] = [
  [{ store: "/srv/reg" }, {}, "what /etc/reg/reg.json allows by annotations.stores"],
  [{ store: "/srv/other" }, EVERYTHING, "annotations.stores"],
  [{ domain: "tenant-a" }, {}, "annotations.domains"],
  [{ domain: "tenant-b" }, EVERYTHING, "annotations.domains"],
  [{ writable: "directory" }, { annotations: {} }, "annotations.writableDirectory"],
  [{ workdir: ".:/src" }, { annotations: { workdir: false } }, "annotations.workdir"],
  [{ workdir: "/:/host" }, EVERYTHING, "a path inside the bundle"],
  [{ workdir: "a/../../b:/host" }, EVERYTHING, "a path inside the bundle"],
  [{ writable: "directory:/var/web" }, EVERYTHING, "a path inside the bundle"],
  [{ writable: "directory:../web" }, EVERYTHING, "a path inside the bundle"],
];
for (const [annotations, host, expected] of FORBIDDEN)
  extension(`refuses ${JSON.stringify(annotations)} where the host allows ${JSON.stringify(host)}`, () => {
    assert.throws(
      () => annotated(annotations, () => host),
      (error: unknown) => error instanceof ConfigError && error.message.includes(expected),
    );
  });

extension("takes no annotation's name for a property that every object has", () => {
  const annotations = JSON.parse('{ "org.reg.environments": "web@1", "org.reg.__proto__": "x" }');
  assert.throws(() => extensionOfAnnotations(annotations, unasked), /org.reg.__proto__/);
});

extension("refuses both forms at once", () => {
  const both = config({ reg: { environments: ["web@1"] }, annotations: prefixed({ environments: "web@1" }) });
  assert.throws(() => extensionOf(both, unasked), /either the reg object or org.reg.\*, found both/);
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
  { workdir: ".:/proc/self" },
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
