/** All rules, in the order in which they are asked. */
import type { Rule } from "../collector.ts";
import { beside } from "./beside.ts";
import { buildTools, compiler } from "./compiler.ts";
import { configuration } from "./configuration.ts";
import { dataRules } from "./data.ts";
import { dlopen } from "./dlopen.ts";
import { fonts } from "./fonts.ts";
import { git } from "./git.ts";
import { languages } from "./languages.ts";
import { nameService } from "./name-service.ts";
import { namedFolders } from "./named-folders.ts";
import { node } from "./node.ts";
import { nodeModules } from "./node-modules.ts";
import { otherPrograms } from "./other-programs.ts";
import { perl } from "./perl.ts";
import { python } from "./python.ts";

export const RULES: readonly Rule[] = [
  ...dataRules,
  nameService,
  dlopen,
  python,
  node,
  nodeModules,
  perl,
  git,
  languages,
  fonts,
  beside,
  otherPrograms,
  namedFolders,
  compiler,
  buildTools,
  configuration,
];
