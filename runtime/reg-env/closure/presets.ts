/** Named sets of files that no program names: what it depends on is how a program is used. */
import { RegError } from "../../errors/errors.ts";
import type { Collector } from "./collector.ts";
import { takeData } from "./rules/data.ts";
import { TABLE } from "./rules/table.ts";

export interface Preset {
  readonly describe: string;
  /** Rules of the table. */
  readonly rules?: readonly string[];
  readonly take?: readonly string[];
  readonly programs?: readonly string[];
}

// biome-ignore format: a list of words
const TOOLS = ["sh", "bash", "env", "cat", "chmod", "chown", "cp", "cut", "date", "dirname", "basename", "echo", "expr", "false", "find", "grep", "head", "hostname",
  "id", "kill", "ln", "ls", "mkdir", "mktemp", "mv", "printf", "ps", "pwd", "readlink", "rm", "rmdir", "sed", "sleep", "sort", "stat", "tail", "tar", "tee",
  "test", "touch", "tr", "true", "uname", "uniq", "wc", "which", "xargs", "awk"];

export const PRESETS: Readonly<Record<string, Preset>> = {
  tls: {
    describe: "certificates of authorities and OpenSSL's configuration",
    rules: ["ca-certificates", "openssl"],
    take: ["/etc/ssl/certs"],
  },
  dns: { describe: "what looking up hosts, services and protocols reads", rules: ["names", "services", "protocols"] },
  locale: {
    describe: "all installed locales and character sets",
    rules: ["character-sets"],
    take: [
      "/usr/lib/locale",
      "/etc/locale.alias",
      "/usr/share/locale/locale.alias",
      "/etc/default/locale",
      "/usr/share/i18n/locales/C",
      "/usr/lib/*/gconv",
      "/usr/lib64/gconv",
    ],
  },
  timezone: { describe: "all time zones", rules: ["time-zone"], take: ["/usr/share/zoneinfo"] },
  terminal: { describe: "descriptions of common terminals", rules: ["terminal", "readline"] },
  shell: { describe: "a shell and the programs that scripts call most", programs: TOOLS },
  users: { describe: "users and groups", rules: ["users"] },
  "media-types": { describe: "media types of file names", rules: ["media-types"] },
};

export function takePreset(name: string, collector: Collector): void {
  const preset = Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined;
  if (preset === undefined)
    throw new RegError("EINVAL", `there is no preset "${name}"`, {
      hint: `presets are ${Object.keys(PRESETS).join(", ")}`,
    });
  const text = `the preset ${name}: ${preset.describe}`;
  for (const rule of TABLE)
    if (preset.rules?.includes(rule.name) === true)
      takeData({ ...rule, text: `is part of ${text}` }, undefined, collector);
  for (const pattern of preset.take ?? []) collector.addPattern(pattern, { rule: "preset", text, as: "data" });
  for (const program of preset.programs ?? []) {
    const path = collector.findProgram(program);
    if (path !== undefined) collector.add(path, { rule: "preset", text, as: "program" });
  }
}
