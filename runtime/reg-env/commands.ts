/** The commands, in the order in which help shows them. */
import type { CommandModule } from "yargs";
import { command as explain } from "./commands/explain.ts";
import { command as exportCommand } from "./commands/export.ts";
import { command as gc } from "./commands/gc.ts";
import { command as generate } from "./commands/generate.ts";
import { command as install } from "./commands/install.ts";
import { command as list } from "./commands/list.ts";
import { command as run } from "./commands/run.ts";
import { command as share } from "./commands/share.ts";
import { command as stats } from "./commands/stats.ts";
import { command as uninstall } from "./commands/uninstall.ts";
import { command as verify } from "./commands/verify.ts";

export const COMMANDS = [
  generate,
  run,
  list,
  explain,
  stats,
  verify,
  gc,
  exportCommand,
  install,
  uninstall,
  share,
] as CommandModule[];
