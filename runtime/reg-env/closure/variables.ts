/** What the variables of a command name: files, its time zone, its locale. */
import type { Collector } from "./collector.ts";
import { NamedFiles } from "./command.ts";
import { takeTimeZones } from "./rules/time-zones.ts";

/** Folders to work in or to look into, not to take. */
const PLACES = /^(HOME|PWD|OLDPWD|TMPDIR|TEMP|TMP|\w*PATH|XDG_\w+)$/;
const LOCALES = /^(LANG|LC_\w+)$/;
/** In the C library, or always there. */
const BUILT_IN = /^(|C|POSIX|C\.UTF-?8)$/i;

/** Each NAME=value. */
export function takeVariables(env: readonly string[], cwd: string, collector: Collector): void {
  const files = new NamedFiles(cwd, undefined, collector);
  for (const each of env) {
    const [, name = "", value = ""] = /^([^=]+)=(.*)$/s.exec(each) ?? [];
    if (name === "TZ") takeTimeZones(value.replace(/^:/, ""), "the variable TZ", undefined, collector);
    else if (LOCALES.test(name) && !BUILT_IN.test(value)) takeLocale(name, value, collector);
    else if (!PLACES.test(name) && value.startsWith("/")) files.takeArgument(value);
  }
}

/** de_DE.UTF-8 stands in a folder de_DE.utf8, or with others in the archive. Source: locale(5), localedef(1). */
function takeLocale(variable: string, value: string, collector: Collector): void {
  const asker = {
    rule: "variables",
    text: `the variable ${variable} names the locale ${value}`,
    as: "data",
  } as const;
  const [, base = "", charset = "", modifier = ""] = /^([^.@]*)(?:\.([^@]*))?(@.*)?$/.exec(value) ?? [];
  const normal = charset === "" ? "" : `.${charset.toLowerCase().replaceAll(/[^a-z0-9]/g, "")}`;
  const names = [value, `${base}${normal}${modifier}`];
  const own = names.map((name) => `/usr/lib/locale/${name}`).find((path) => collector.root.isDirectory(path));
  if (/^[\w.@-]+$/.test(value)) collector.addPattern(own ?? "/usr/lib/locale/locale-archive", asker);
}
