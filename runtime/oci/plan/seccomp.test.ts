import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Config, LinuxSeccomp } from "../config.ts";
import { planFilter, planSeccomp } from "./seccomp.ts";

const seccomp = suite("seccomp plan");

const plan = (profile: LinuxSeccomp, annotations: Record<string, string> = {}) =>
  planSeccomp({ ociVersion: "1.0.0", annotations, linux: { seccomp: profile } } as Config);

seccomp("plans nothing without a profile, or with an empty one", () => {
  assert.is(planSeccomp({ ociVersion: "1.0.0" }), undefined);
  assert.is(plan({}), undefined);
  assert.is(plan({ defaultAction: "" }), undefined);
});

seccomp("flags are those of the profile; without a list, speculation is allowed as in runc", () => {
  const flags = (list?: string[]) => plan({ defaultAction: "SCMP_ACT_ALLOW", ...(list && { flags: list }) })?.flags;
  assert.is(flags(), 4);
  assert.is(flags([]), 0);
  assert.is(flags(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"]), 2);
});

seccomp("a listener is planned only when a rule notifies", () => {
  const notify: LinuxSeccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }],
  };
  assert.is(plan({ defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/s" })?.listener, undefined);
  assert.equal(plan({ ...notify, listenerPath: "/s", listenerMetadata: "m" })?.listener, { path: "/s", metadata: "m" });
  assert.equal(plan(notify, { "run.oci.seccomp.receiver": "/r" })?.listener, { path: "/r", metadata: "" });
});

seccomp("the errno is EPERM unless it is given, and only ERRNO and TRACE have one", () => {
  const filter = planFilter({
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    syscalls: [
      { names: ["a"], action: "SCMP_ACT_ERRNO" },
      { names: ["b"], action: "SCMP_ACT_TRACE", errnoRet: 7 },
      { names: ["c"], action: "SCMP_ACT_KILL_PROCESS" },
    ],
  });
  assert.is(filter.defaultAction, 0x50026);
  assert.equal(
    filter.rules.map(({ action }) => action),
    [0x50001, 0x7ff00007, 0x80000000],
  );
});

seccomp("rules that repeat the default are left out, but their names are known", () => {
  const filter = planFilter({
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["a", "b"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
  });
  assert.equal(filter.rules, []);
  assert.equal(filter.names, ["a", "b"]);
});

seccomp("what is newer than the profile gets ENOSYS, unless the default lets it through", () => {
  const unknown = (defaultAction: NonNullable<LinuxSeccomp["defaultAction"]>) =>
    planFilter({ defaultAction }).unknownAction;
  assert.is(unknown("SCMP_ACT_ERRNO"), 0x50026);
  assert.is(unknown("SCMP_ACT_KILL_PROCESS"), 0x50026);
  for (const action of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] as const)
    assert.is(unknown(action), undefined);
});

seccomp("conditions on one argument are alternatives", () => {
  const rules = (indexes: number[]) =>
    planFilter({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [
        {
          names: ["a"],
          action: "SCMP_ACT_KILL",
          args: indexes.map((index) => ({ index, value: 1, op: "SCMP_CMP_EQ" })),
        },
      ],
    }).rules.map(({ conditions }) => conditions.length);
  assert.equal(rules([]), [0]);
  assert.equal(rules([0, 1]), [2]);
  assert.equal(rules([0, 0]), [1, 1]);
});

seccomp.run();
