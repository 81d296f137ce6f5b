import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Config } from "../oci/config.ts";
import { defaultSpec } from "../oci/default-spec.ts";
import { planContainer } from "../oci/plan/plan.ts";
import { describePlan, formatPlan } from "./plan-text.ts";

const text = suite("plan in words");

const OPTIONS = {
  id: "web1",
  bundle: "/srv/web",
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
  listenFds: 0,
  cgroupManager: "cgroupfs",
  rootless: false,
} as const;
const HOST = { mode: "v2", hierarchies: [{ name: "", mountpoint: "/sys/fs/cgroup" }] } as const;

function plan(change: Partial<Config> = {}) {
  return planContainer({ ...defaultSpec({ rootless: false }), ...change }, OPTIONS, HOST);
}

/** The steps of a stage, field behind each. */
function steps(stage: string, change?: Partial<Config>): string[] {
  const found = describePlan(plan(change)).find((each) => each.stage === stage);
  return (found?.steps ?? []).map(({ what, field }) => `${what} [${field ?? ""}]`);
}

text("stages come in the order of execution", () => {
  const stages = describePlan(plan()).map(({ stage }) => stage);
  assert.equal(stages.slice(0, 5), ["cgroup (version 2, cgroupfs)", "namespaces", "identity", "mounts", "devices"]);
  assert.is(stages.at(-1), "start");
});

const MOUNTS: [name: string, options: string[], shown: string][] = [
  ["flags", ["nosuid", "noexec", "ro"], "(ro,nosuid,noexec)"],
  ["one name for options that mean the same", ["relatime"], "(relatime)"],
  ["the filesystem's own options", ["size=1m", "nosuid"], "(nosuid,size=1m)"],
  ["recursive options", ["rro", "rnoatime"], "(rro,rnoatime)"],
  ["what recursive options take away", ["rrw"], "(rrw)"],
  ["propagation", ["rslave"], "(rslave)"],
  ["no options", [], ""],
];
for (const [name, options, shown] of MOUNTS)
  text(`mounts show ${name}`, () => {
    const [step] = steps("mounts", { mounts: [{ destination: "/x", type: "tmpfs", source: "tmpfs", options }] });
    assert.is(step, `tmpfs on /x${shown === "" ? "" : ` ${shown}`} [/mounts/0]`);
  });

text("bind mounts show both ends", () => {
  const mounts = [{ destination: "/data", source: "data", options: ["rbind", "ro"] }];
  assert.equal(steps("mounts", { mounts }), ["/srv/web/data on /data (rbind,ro) [/mounts/0]"]);
});

text("limits show the file, the value and the field", () => {
  const linux = { ...defaultSpec({ rootless: false }).linux, resources: { pids: { limit: 7 } } };
  assert.ok(steps("limits of the cgroup", { linux }).includes("pids.max = 7 [/linux/resources/pids/limit]"));
});

text("hooks stand where they run", () => {
  const hooks = { createRuntime: [{ path: "/a", args: ["a", "b"], timeout: 3 }], poststop: [{ path: "/z" }] };
  assert.equal(steps("hooks", { hooks }), ["createRuntime: /a b, at most 3 s [/hooks/createRuntime/0]"]);
  assert.equal(steps("delete", { hooks }), ["poststop: /z [/hooks/poststop/0]"]);
});

text("capabilities that are equal share a line", () => {
  const shown = steps("process").filter((step) => step.startsWith("capabilities"));
  assert.equal(shown, [
    "capabilities bounding, effective, permitted: KILL NET_BIND_SERVICE AUDIT_WRITE [/process/capabilities]",
    "capabilities inheritable, ambient: none [/process/capabilities]",
  ]);
});

text("every field that is named is a pointer into the document", () => {
  const document: unknown = JSON.parse(JSON.stringify(defaultSpec({ rootless: true })));
  const planned = planContainer(
    document as Config,
    { ...OPTIONS, rootless: true, id: "x" },
    { ...HOST, own: { "": "/a" } },
  );
  const given = describePlan(planned).flatMap(({ steps }) => steps.flatMap(({ field }) => field ?? []));
  const optional = ["/linux/cgroupsPath", "/linux/resources/devices", "/process/user/umask"]; // defaults
  for (const field of given.filter((field) => !optional.includes(field))) {
    let value = document;
    for (const step of field.split("/").slice(1)) value = (value as Record<string, unknown>)[step];
    assert.is.not(value, undefined, field);
  }
});

text("the text numbers the stages and aligns the fields", () => {
  const lines = formatPlan(plan(), describePlan(plan())).split("\n");
  assert.is(lines[0], "plan for container web1, bundle /srv/web");
  assert.ok(lines.includes("2. namespaces"));
  assert.ok(lines.includes("   new mount namespace    /linux/namespaces"));
});

text.run();
