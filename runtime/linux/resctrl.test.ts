import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Config, LinuxIntelRdt } from "../oci/config.ts";
import { defaultSpec } from "../oci/default-spec.ts";
import { type IntelRdtPlan, planIntelRdt } from "../oci/plan/intel-rdt.ts";
import { findResctrl, joinResctrl, makeResctrl, removeResctrl, resctrlPaths } from "./resctrl.ts";

const resctrl = suite("resctrl");

function plan(intelRdt: LinuxIntelRdt): IntelRdtPlan {
  const config: Config = { ...defaultSpec({ rootless: false }), linux: { intelRdt } };
  const planned = planIntelRdt(config, "web1");
  if (planned === undefined) throw new Error("nothing planned");
  return planned;
}

const AT = "/linux/intelRdt";
const CASES: [name: string, intelRdt: LinuxIntelRdt, planned: IntelRdtPlan][] = [
  ["the id is the group's name", {}, { group: "web1", shared: false, schemata: [] }],
  ["closID is a group for several", { closID: "gold" }, { group: "gold", shared: true, schemata: [] }],
  ["monitoring", { enableMonitoring: true }, { group: "web1", shared: false, schemata: [], monitor: "web1" }],
  [
    "schemata come last, and memory bandwidth in l3CacheSchema counts for nothing",
    { schemata: ["L2:0=f", "MB:0=10"], memBwSchema: "MB:0=20", l3CacheSchema: "L3:0=7f0\nMB:0=70" },
    {
      group: "web1",
      shared: false,
      schemata: [
        { lines: "L3:0=7f0\n", field: `${AT}/l3CacheSchema` },
        { lines: "MB:0=20\n", field: `${AT}/memBwSchema` },
        { lines: "L2:0=f\nMB:0=10\n", field: `${AT}/schemata` },
      ],
    },
  ],
];
for (const [name, intelRdt, planned] of CASES) resctrl(name, () => assert.equal(plan(intelRdt), planned));

resctrl("nothing is planned when config.json is silent", () =>
  assert.is(planIntelRdt(defaultSpec({ rootless: false }), "web1"), undefined),
);

/** A folder with the files that the kernel would make. */
function withFake(test: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), "reg-resctrl-"));
  try {
    for (const folder of ["gold", "gold/mon_groups/web1", "web1/mon_groups/web1"]) {
      mkdirSync(join(root, folder), { recursive: true });
      for (const file of ["tasks", "schemata"]) writeFileSync(join(root, folder, file), "");
    }
    writeFileSync(join(root, "web1/tasks"), "");
    writeFileSync(join(root, "web1/schemata"), "");
    test(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

resctrl("writes the schema, and the process into both groups", () =>
  withFake((root) => {
    const request = plan({ memBwSchema: "MB:0=20", enableMonitoring: true });
    const state = resctrlPaths(root, request);
    makeResctrl(state, request);
    joinResctrl(state, 1234);
    assert.is(readFileSync(join(root, "web1/schemata"), "utf8"), "MB:0=20\n");
    assert.is(readFileSync(join(root, "web1/tasks"), "utf8"), "1234");
    assert.is(readFileSync(join(root, "web1/mon_groups/web1/tasks"), "utf8"), "1234");
    assert.equal(state.remove, [`${root}/web1/mon_groups/web1`, `${root}/web1`]);
  }),
);

resctrl("makes a group that is missing, and removes only its own", () =>
  withFake((root) => {
    const request = { group: "new", shared: false, schemata: [] };
    makeResctrl(resctrlPaths(root, request), request);
    assert.ok(existsSync(join(root, "new")));
    removeResctrl(resctrlPaths(root, request));
    assert.not(existsSync(join(root, "new")));
    removeResctrl(resctrlPaths(root, plan({ closID: "gold" })));
    assert.ok(existsSync(join(root, "gold")));
  }),
);

resctrl("a shared group without a schema must be there", () =>
  withFake((root) => {
    const request = plan({ closID: "silver" });
    assert.throws(() => makeResctrl(resctrlPaths(root, request), request), /resctrl group silver does not exist/);
  }),
);

resctrl("finds the mount", () => {
  const line = "30 25 0:27 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw";
  assert.is(findResctrl(`29 25 0:26 / /sys rw - sysfs sysfs rw\n${line}\n`), "/sys/fs/resctrl");
  assert.throws(() => findResctrl("29 25 0:26 / /sys rw - sysfs sysfs rw\n"), /not mounted/);
});

resctrl.run();
