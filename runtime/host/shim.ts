/** The native host: what native-shim/ puts on the global object, under the types of host.ts. */
import type { Host } from "./host.ts";

declare const globalThis: { readonly reg: Omit<Host, "bind" | "kind"> & { readonly libc: never } };

const shim = globalThis.reg;

export const host: Host = {
  kind: "native",
  arch: shim.arch,
  args: shim.args,
  environ: shim.environ,
  // The shim's table is generated from the same signatures (native-shim/table.ts), so there is nothing to bind.
  bind: () => shim.libc,
  errno: shim.errno,
  address: shim.address,
  encode: shim.encode,
  decode: shim.decode,
};
