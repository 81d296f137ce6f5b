/** Where the native binary is, for programs that run on Node. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** Set where a program was bundled for its place (reg-env/build.ts): where the binary is installed. */
declare const REG_INSTALLED: string | undefined;

/** As the environment names it, as it was installed, the checkout's, or that of the npm package for this machine. */
export function nativeBinary(): string {
  if (process.env.REG_NATIVE !== undefined) return process.env.REG_NATIVE;
  if (typeof REG_INSTALLED !== "undefined") return REG_INSTALLED;
  const built = fileURLToPath(new URL("../../../build/reg", import.meta.url));
  if (existsSync(built)) return built;
  try {
    return createRequire(import.meta.url).resolve(`reg-linux-${process.arch}/bin/reg`);
  } catch {
    return built; // neither is there; whoever starts it says so
  }
}
