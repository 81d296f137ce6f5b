import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Config, Linux, Mount } from "../config.ts";
import { defaultSpec } from "../default-spec.ts";
import { type BindMount, planMounts } from "./mounts.ts";

const mounts = suite("mounts");

const OWN = [{ containerID: 0, hostID: 5000, size: 10 }];
const CONTAINERS = [{ containerID: 0, hostID: 100000, size: 65536 }];
const OWN_MAP = { uidMap: "0 5000 10\n", gidMap: "0 5000 10\n" };
const CONTAINERS_MAP = { uidMap: "0 100000 65536\n", gidMap: "0 100000 65536\n" };

function idMapOf(mount: Partial<Mount>, linux: Partial<Linux> = {}): BindMount["idMap"] {
  const config: Config = {
    ...defaultSpec({ rootless: false }),
    mounts: [{ destination: "/mnt", type: "bind", source: "/srv", ...mount }],
    linux,
  };
  const [planned] = planMounts(config, "/bundle");
  return planned?.kind === "bind" ? planned.idMap : undefined;
}

const user = { namespaces: [{ type: "user" }], uidMappings: CONTAINERS, gidMappings: CONTAINERS } as const;
const joined = { ...user, namespaces: [{ type: "user", path: "/proc/7/ns/user" }] } as const;

const CASES: [name: string, mount: Partial<Mount>, linux: Partial<Linux>, planned: BindMount["idMap"]][] = [
  ["nothing asks for a mapping", {}, user, undefined],
  ["mappings of the mount", { uidMappings: OWN, gidMappings: OWN }, {}, { recursive: false, ...OWN_MAP }],
  [
    "mappings of the mount, and below it",
    { options: ["ridmap"], uidMappings: OWN, gidMappings: OWN },
    user,
    { recursive: true, ...OWN_MAP },
  ],
  ["the container's mappings", { options: ["idmap"] }, user, { recursive: false, ...CONTAINERS_MAP }],
  ["a joined namespace", { options: ["ridmap"] }, joined, { recursive: true, path: "/proc/7/ns/user" }],
];
for (const [name, mount, linux, planned] of CASES)
  mounts(`id mapping: ${name}`, () => assert.equal(idMapOf(mount, linux), planned));

mounts.run();
