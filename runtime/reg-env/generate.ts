/** From a closure to an environment in the store. */
import type { EnvironmentCommand, Unit } from "../reg/manifest.ts";
import type { EnvironmentName } from "../reg/name.ts";
import type { Closure } from "./closure/types.ts";
import { stageBase } from "./store/base.ts";
import { type Installed, installEnvironment } from "./store/environment.ts";
import type { Store } from "./store/store.ts";
import { captureUnit } from "./store/unit.ts";
import { splitClosure } from "./units.ts";

export interface GenerateOptions {
  readonly name: EnvironmentName;
  readonly command: EnvironmentCommand;
  readonly replace?: boolean;
  /** Called after each file, with the number of files done; may wait. */
  readonly onFile?: (done: number, total: number) => Promise<void> | void;
}

/** Installs the closure as an environment: same files, same digest. */
export function generateEnvironment(store: Store, closure: Closure, options: GenerateOptions): Promise<Installed> {
  const { name, command, replace = false, onFile = () => undefined } = options;
  const reasons = Object.fromEntries(
    [...closure.files, ...closure.generated, ...(closure.directories ?? [])].map(([path, { reason }]) => [
      path,
      reason,
    ]),
  );
  return installEnvironment(store, { name, command, reasons, replace }, async (staging) => {
    const units: Unit[] = [];
    let done = 0;
    for (const source of splitClosure(closure, name))
      units.push(await captureUnit(staging, source, () => onFile(++done, closure.files.size)));
    return [...units, stageBase(staging)];
  });
}
