/** Where things lie in a checkout, for test and bench programs that run from dist/. */
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's top folder: this module runs as dist/conformance/paths.js. */
export const TOP = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const BUILD = join(TOP, "build");
/** The runtime under test; REG names another one, such as runc, to compare behaviour. */
export const REG = process.env.REG ?? join(BUILD, "reg");
/** containerd's shim: the same binary by another name, or with SHIM another shim. */
export const SHIM = process.env.SHIM ?? join(BUILD, "containerd-shim-reg-v2");
/** Helper programs in C, built by `make tools`. */
export const TOOLS = join(BUILD, "tools");
