import { suite } from "uvu";
import * as assert from "uvu/assert";
import { closeNames, closest } from "./suggest.ts";

// biome-ignore format: a table
const cases: readonly (readonly [name: string, typed: string, candidates: readonly string[], meant: string | undefined])[] = [
  ["finds another case", "CWD", ["cwd", "args"], "cwd"],
  ["finds a swap", "agrs", ["env", "args"], "args"],
  ["finds a missing letter", "capabilites", ["capabilities"], "capabilities"],
  ["finds a letter too many", "mountss", ["mounts", "root"], "mounts"],
  ["prefers the nearest", "pids", ["pid", "pids", "uids"], "pids"],
  ["finds a name without its prefix", "ALLOW", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"], "SCMP_ACT_ALLOW"],
  ["finds the beginning of a name", "net", ["network", "mount"], "network"],
  ["does not guess between two endings", "EQ", ["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"], undefined],
  ["does not guess from one letter", "x", ["c", "b"], undefined],
  ["does not guess from nothing", "", ["a"], undefined],
  ["does not force a match", "com.example.thing", ["process", "root"], undefined],
];

const suggest = suite("suggest");
for (const [name, typed, candidates, meant] of cases) suggest(name, () => assert.is(closest(typed, candidates), meant));

suggest("finds close names anywhere in a config", () => {
  const document = {
    hostName: "a",
    process: { enviroment: [], env: [], noNewPriviliges: true, user: { umsk: 1 } },
    mounts: [{ destination: "/a" }, { destination: "/b", option: ["ro"] }],
    hooks: { poststart: [{ path: "/a", timout: 1 }] },
    linux: { resources: { rdma: { mlx: { hcaHandle: 1 } } }, sysctl: { hostname: "free" } },
    annotations: { "process.args": "free" },
    unrelated: {},
  };
  assert.equal(closeNames(document), [
    { pointer: "", name: "hostName", suggestion: "hostname" },
    { pointer: "/process", name: "noNewPriviliges", suggestion: "noNewPrivileges" },
    { pointer: "/process/user", name: "umsk", suggestion: "umask" },
    { pointer: "/mounts/1", name: "option", suggestion: "options" },
    { pointer: "/hooks/poststart/0", name: "timout", suggestion: "timeout" },
    { pointer: "/linux/resources/rdma/mlx", name: "hcaHandle", suggestion: "hcaHandles" },
  ]);
});

suggest("finds nothing in a document without slips", () => {
  assert.equal(closeNames({ args: ["sh"], cwd: "/" }, "process"), []);
  assert.equal(closeNames({ memory: { limt: 1 } }, "resources"), [
    { pointer: "/memory", name: "limt", suggestion: "limit" },
  ]);
});
suggest.run();
