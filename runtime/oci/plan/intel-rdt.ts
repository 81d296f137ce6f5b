/** Cache and memory bandwidth of a container, as data. Pure. Source: runtime-spec config-linux.md "IntelRdt". */
import type { Config } from "../config.ts";

export interface IntelRdtPlan {
  /** Name of the group below the resctrl filesystem. */
  readonly group: string;
  /** A group with a name of its own is for several containers: it is made where it is missing, and never removed. */
  readonly shared: boolean;
  /** What is written to the group's schemata; a shared group without any must be there already. */
  readonly schemata: readonly SchemataWrite[];
  /** Name of the container's monitoring group; absent when it has none. */
  readonly monitor?: string;
}

export interface SchemataWrite {
  readonly lines: string;
  readonly field: string;
}

const AT = "/linux/intelRdt";

export function planIntelRdt(config: Config, id: string): IntelRdtPlan | undefined {
  const rdt = config.linux?.intelRdt;
  if (rdt === undefined) return undefined;
  const { closID = "", l3CacheSchema = "", memBwSchema = "", schemata = [], enableMonitoring = false } = rdt;
  // Memory bandwidth that an l3CacheSchema brings along is not its business.
  const cache = l3CacheSchema
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("MB:"))
    .join("\n");
  const writes = [
    { lines: cache, field: `${AT}/l3CacheSchema` },
    { lines: memBwSchema.trim(), field: `${AT}/memBwSchema` },
    { lines: schemata.join("\n"), field: `${AT}/schemata` }, // last, so that it wins
  ];
  return {
    group: closID === "" ? id : closID,
    shared: closID !== "",
    schemata: writes.filter(({ lines }) => lines !== "").map(({ lines, field }) => ({ lines: `${lines}\n`, field })),
    ...(enableMonitoring ? { monitor: id } : {}),
  };
}
