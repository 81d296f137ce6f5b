/** What only the program's entry has at hand: on the native host it alone can load modules. */
import type { checkpoint } from "../container/checkpoint.ts";
import type { rebuild } from "../container/restore.ts";
import type { FeaturesOptions } from "../oci/features.ts";
import type { MountMapped } from "./mounts.ts";
import type { sandboxService } from "./sandbox/service.ts";

export interface Program {
  /** Says of an invalid document what is wrong with it; other errors stay as they are. */
  readonly explain: (error: unknown) => Promise<unknown>;
  readonly about: () => Promise<FeaturesOptions>;
  readonly checkpoint: () => Promise<{ readonly checkpoint: typeof checkpoint }>;
  readonly restore: () => Promise<{ readonly rebuild: typeof rebuild }>;
  readonly idMapped: () => Promise<{ readonly mountMapped: MountMapped }>;
  readonly sandbox: () => Promise<{ readonly sandboxService: typeof sandboxService }>;
}
