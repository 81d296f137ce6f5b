/**
 * The Reg extension of a config: its `reg` object or, for callers that write config.json themselves, annotations that say
 * the same. Both become one type, validated by the same schema and rules.
 *
 *   org.reg.environments   python@3.11,ca-certificates@20230311
 *   org.reg.store          /var/lib/reg
 *   org.reg.domain         tenant-a
 *   org.reg.writable       none, tmpfs, tmpfs:SIZE, directory or directory:PATH
 *   org.reg.workdir        SOURCE:DESTINATION or SOURCE:DESTINATION:ro
 */
import { ConfigError, type Fault } from "../errors/errors.ts";
import type { Config, Reg } from "../oci/config.ts";
import { parseReg } from "../oci/parse.ts";
import { closest } from "../oci/suggest.ts";

/** The extension, and how to name its parts as config.json has them. */
export interface Extension {
  readonly reg: Reg;
  /** The JSON pointer of a property. */
  readonly pointer: (name: keyof Reg) => string;
}

const PREFIX = "org.reg.";
const NAMES = ["environments", "store", "domain", "writable", "workdir"] as const satisfies readonly (keyof Reg)[];

/** The extension of a config; undefined when it has none. Throws ConfigError, or InvalidDocument, for annotations at fault. */
export function extensionOf({ reg, annotations = {} }: Config): Extension | undefined {
  const given: Record<string, string> = Object.create(null); // a name may be __proto__
  let annotated = false;
  for (const key in annotations)
    if (key.startsWith(PREFIX)) {
      annotated = true;
      given[key.slice(PREFIX.length)] = annotations[key] ?? "";
    }
  if (!annotated) return reg === undefined ? undefined : { reg, pointer: (name) => `/reg/${name}` };
  const faults = annotationFaults(given, reg !== undefined);
  if (faults.length > 0) {
    const lines = faults.map(({ pointer, expected, found, suggestion }) => {
      const meant = suggestion === undefined ? "" : `; did you mean "${suggestion}"?`;
      return `  ${pointer}: expected ${expected}, found ${found}${meant}`;
    });
    const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
    throw new ConfigError([`annotations of the Reg extension: ${count}`, ...lines].join("\n"), faults);
  }
  const document = JSON.stringify(fromAnnotations(given));
  return {
    reg: parseReg(document, "annotations of the Reg extension"),
    pointer: (name) => `/annotations/${PREFIX}${name}`,
  };
}

function annotationFaults(given: Readonly<Record<string, string>>, both: boolean): Fault[] {
  if (both) return [{ pointer: "/annotations", expected: "either the reg object or org.reg.*", found: "both" }];
  const faults = Object.keys(given).flatMap((name): Fault[] => {
    if (NAMES.some((known) => known === name)) return [];
    const suggestion = closest(name, NAMES);
    const fault = { pointer: `/annotations/${PREFIX}${name}`, expected: `one of ${NAMES.join(", ")}`, found: name };
    return [suggestion === undefined ? fault : { ...fault, suggestion: `${PREFIX}${suggestion}` }];
  });
  if (given.workdir !== undefined && !/^[^:]+:[^:]+(:ro)?$/.test(given.workdir))
    faults.push({
      pointer: `/annotations/${PREFIX}workdir`,
      expected: "SOURCE:DESTINATION or SOURCE:DESTINATION:ro",
      found: JSON.stringify(given.workdir),
    });
  return faults;
}

/** The object that the annotations describe; whether it fits the schema is for the validator to say. */
function fromAnnotations({
  environments,
  store,
  domain,
  writable,
  workdir,
}: Readonly<Record<string, string>>): unknown {
  return {
    ...(environments === undefined ? {} : { environments: environments.split(",").map((name) => name.trim()) }),
    ...(store === undefined ? {} : { store }),
    ...(domain === undefined ? {} : { domain }),
    ...(writable === undefined ? {} : { writable: writableFrom(writable) }),
    ...(workdir === undefined ? {} : { workdir: workdirFrom(workdir) }),
  };
}

function writableFrom(text: string): unknown {
  const colon = text.indexOf(":");
  if (colon < 0) return { type: text };
  const type = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  return type === "directory" ? { type, path: rest } : { type, size: rest };
}

function workdirFrom(text: string): unknown {
  const [source, destination, readonly] = text.split(":");
  return { source, destination, ...(readonly === undefined ? {} : { readonly: true }) };
}
