/** Every row of the table brings what it says, and presets take what there is. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dynamicProgram, glibcRoot, library, withRoot } from "../../../../conformance/fixtures/root.ts";
import { computeClosure } from "../closure.ts";
import { expandBraces } from "../glob.ts";
import { PRESETS } from "../presets.ts";
import { TABLE } from "./table.ts";

const table = suite("table of rules");
const LIB = "usr/lib/x86_64-linux-gnu";

/** A path that the pattern matches, and a file in it if it may be a folder. */
const example = (pattern: string) =>
  (expandBraces(pattern)[0] ?? "").replace("/usr/lib/*/", `/${LIB}/`).replaceAll("*", "x").slice(1);

/** A soname that the pattern matches: /^lib(ssl|gnutls)[.-]/ is libssl.so.1. */
const soname = (pattern: RegExp) =>
  `${pattern.source
    .replace(/^\^/, "")
    .replace(/\(([^|)]*)[^)]*\)/, "$1")
    .replaceAll(/\\\.so.*$|\[.*$/g, "")}.so.6`;

for (const rule of TABLE) {
  const { when, take, libraries = [] } = rule;
  if (when === undefined || (when.soname === undefined && when.imports === undefined)) continue;
  table(rule.name, () => {
    const name = when.soname === undefined ? undefined : soname(when.soname);
    if (when.soname !== undefined) assert.match(name ?? "", when.soname);
    const sign =
      name === undefined || name === "libc.so.6"
        ? { "usr/bin/p": dynamicProgram({ imports: when.imports ?? [] }) }
        : { "usr/bin/p": dynamicProgram({ needed: [name] }), [`${LIB}/${name}`]: library(name) };
    const data = Object.fromEntries(
      take.map((pattern) => [`${example(pattern)}`, "x"]).filter(([path]) => path !== ""),
    );
    const more = Object.fromEntries(libraries.map((each) => [`${LIB}/${each}`, library(each)]));
    withRoot({ ...glibcRoot(), ...data, ...more, ...sign }, (root) => {
      const { files } = computeClosure({ root, programs: ["p"] });
      const reasons = [...files.values()].filter(({ reason }) => reason.rule === rule.name);
      const expected = [...Object.keys(data), ...Object.keys(more)].map((path) => path.replace(/^lib\//, "usr/lib/"));
      for (const path of expected) assert.ok(files.has(`/${path}`), `${path} of ${rule.name}`);
      assert.ok(reasons.length > 0);
    });
  });
}

for (const name of Object.keys(PRESETS))
  table(`preset ${name}`, () =>
    withRoot(
      {
        ...glibcRoot(),
        "usr/bin/sh": dynamicProgram(),
        "etc/mime.types": "",
        "usr/share/zoneinfo/UTC": "",
        "etc/services": "",
        "usr/lib/locale/de/LC_TIME": "",
        "usr/lib/terminfo/x/xterm": "",
        "etc/nsswitch.conf": "",
        "etc/ssl/certs/a.pem": "",
      },
      (root) => {
        const { files } = computeClosure({ root, programs: [], presets: [name] });
        const taken = [...files.values()].filter(({ reason }) => reason.rule !== "base");
        assert.ok(taken.length > 0);
        for (const { path, reason } of taken.filter(({ reason: { from } }) => from === undefined))
          assert.match(reason.text, `the preset ${name}`, path);
      },
    ),
  );

table.run();
