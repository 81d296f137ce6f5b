/** Where the containers' state is: below runc's directory, by namespace, so that `reg --root DIR list` shows what runs. */
import type { Options } from "./options.ts";

const DEFAULT_ROOT = "/run/containerd/runc";

export function stateRoot({ root }: Pick<Options, "root">, namespace: string): string {
  return `${root === "" ? DEFAULT_ROOT : root}/${namespace}`;
}
