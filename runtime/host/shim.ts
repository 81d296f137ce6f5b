/** The native host: what native-shim/ puts on the global object, under the types of host.ts. */
import type { Host } from "./host.ts";

/** The shim's object on the global object. */
declare const reg: Omit<Host, "bind" | "kind"> & { readonly libc: never };

export const host: Host = {
  kind: "native",
  arch: reg.arch,
  args: reg.args,
  environ: reg.environ,
  // The shim's table is generated from the same signatures (native-shim/table.ts), so there is nothing to bind.
  bind: () => reg.libc,
  errno: reg.errno,
  address: reg.address,
  encode: reg.encode,
  decode: reg.decode,
};
