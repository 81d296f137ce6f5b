/** The commands, in the order in which help shows them. */
import type { CommandModule } from "yargs";
import { command as diff } from "./commands/diff.ts";
import { command as explain } from "./commands/explain.ts";
import { command as exportCommand } from "./commands/export.ts";
import { command as gc } from "./commands/gc.ts";
import { command as generate } from "./commands/generate.ts";
import { command as install } from "./commands/install.ts";
import { command as list } from "./commands/list.ts";
import { command as run } from "./commands/run.ts";
import { command as share } from "./commands/share.ts";
import { command as show } from "./commands/show.ts";
import { command as stats } from "./commands/stats.ts";
import { command as tag } from "./commands/tag.ts";
import { command as uninstall } from "./commands/uninstall.ts";
import { command as verify } from "./commands/verify.ts";

export const COMMANDS = [
  generate,
  run,
  list,
  show,
  explain,
  diff,
  stats,
  verify,
  gc,
  exportCommand,
  install,
  tag,
  uninstall,
  share,
] as CommandModule[];
