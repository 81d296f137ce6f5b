/** The native host: what native-shim/ puts on the global object, under the types of host.ts. */
import type { Host } from "./host.ts";

/** The shim's object on the global object. */
declare const reg: Pick<
  Host,
  | "arch"
  | "program"
  | "args"
  | "environ"
  | "held"
  | "runJobs"
  | "collect"
  | "forked"
  | "errno"
  | "address"
  | "encode"
  | "decode"
> & {
  readonly libc: never;
  /** Whether the snapshot is being made. */
  readonly snapshot: boolean;
  /** What the shim calls when the process starts. */
  entry: () => Promise<void>;
};

export const host: Host = {
  kind: "native",
  arch: reg.arch,
  // Read anew: this object is in the snapshot, the arguments are the process's.
  get program() {
    return reg.program;
  },
  get args() {
    return reg.args;
  },
  get environ() {
    return reg.environ;
  },
  get held() {
    return reg.held;
  },
  // The shim's table is generated from the same signatures (native-shim/table.ts), so there is nothing to bind.
  bind: () => reg.libc,
  async start(program, modules) {
    reg.entry = program;
    if (reg.snapshot) await Promise.all(modules.map((load) => load()));
  },
  runJobs: reg.runJobs,
  collect: reg.collect,
  forked: reg.forked,
  errno: reg.errno,
  address: reg.address,
  encode: reg.encode,
  decode: reg.decode,
};
