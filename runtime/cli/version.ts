/** `reg --version`. The first lines are in the form that containerd's go-runc reads. */
import { print } from "./output.ts";

export const VERSION = "0.1.0";
export const SPEC_VERSION = "1.3.0";

export function showVersion(): number {
  print(`reg version ${VERSION}\nspec: ${SPEC_VERSION}\n`);
  return 0;
}
