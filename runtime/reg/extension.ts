/**
 * The Reg extension of a config: its `reg` object or, for callers that write config.json themselves, annotations that say
 * the same. Both become one type, validated by the same schema and rules.
 *
 * Engines copy annotations of images and pods into config.json, so they are a stranger's word. By itself an annotation may name
 * environments of the default store and domain, and a tmpfs for writes; the rest takes the host's leave (host-config.ts), and
 * its paths stay inside the bundle.
 *
 *   org.reg.environments   python@3.11,ca-certificates@20230311
 *   org.reg.store          /var/lib/reg; a user's is $XDG_DATA_HOME/reg
 *   org.reg.domain         tenant-a
 *   org.reg.writable       none, tmpfs, tmpfs:SIZE, directory or directory:PATH (of the bundle)
 *   org.reg.workdir        SOURCE:DESTINATION or SOURCE:DESTINATION:ro
 */
import { ConfigError, type Fault } from "../errors/errors.ts";
import type { Config, HostConfig, Reg } from "../oci/config.ts";
import { parseReg } from "../oci/parse.ts";
import { closest } from "../oci/suggest.ts";
import { HOST_CONFIG } from "./host-config.ts";
import { DEFAULT_DOMAIN } from "./layout.ts";
import { defaultStore } from "./trust.ts";

/** The extension, and how to name its parts as config.json has them. */
export interface Extension {
  readonly reg: Reg;
  /** The JSON pointer of a property. */
  readonly pointer: (name: keyof Reg) => string;
  /** Whether its paths are paths in the bundle, and must not leave it. */
  readonly confined: boolean;
}

const PREFIX = "org.reg.";
const NAMES = ["environments", "store", "domain", "writable", "workdir"] as const satisfies readonly (keyof Reg)[];

/**
 * The extension of a config; undefined when it has none. `hostConfig` is only asked when an annotation needs more than the
 * default. Throws ConfigError, or InvalidDocument, for annotations at fault.
 */
export function extensionOf({ reg, annotations = {} }: Config, hostConfig: () => HostConfig): Extension | undefined {
  const annotated = extensionOfAnnotations(annotations, hostConfig);
  if (annotated === undefined)
    return reg === undefined ? undefined : { reg, pointer: (name) => `/reg/${name}`, confined: false };
  if (reg === undefined) return annotated;
  throw refused([{ pointer: "/annotations", expected: "either the reg object or org.reg.*", found: "both" }]);
}

/** The extension that annotations make up, as far as the host allows it; undefined when none of them is of it. */
export function extensionOfAnnotations(
  annotations: Readonly<Record<string, string>>,
  hostConfig: () => HostConfig,
): Extension | undefined {
  const given: Record<string, string> = Object.create(null); // a name may be __proto__
  let annotated = false;
  for (const key in annotations)
    if (key.startsWith(PREFIX)) {
      annotated = true;
      given[key.slice(PREFIX.length)] = annotations[key] ?? "";
    }
  if (!annotated) return undefined;
  const faults = annotationFaults(given);
  if (faults.length > 0) throw refused(faults);
  const reg = parseReg(JSON.stringify(fromAnnotations(given)), "annotations of the Reg extension");
  const forbidden = forbiddenBy(reg, hostConfig);
  if (forbidden.length > 0) throw refused(forbidden);
  return { reg, pointer: (name) => `/annotations/${PREFIX}${name}`, confined: true };
}

function refused(faults: readonly Fault[]): ConfigError {
  const lines = faults.map(({ pointer, expected, found, suggestion }) => {
    const meant = suggestion === undefined ? "" : `; did you mean "${suggestion}"?`;
    return `  ${pointer}: expected ${expected}, found ${found}${meant}`;
  });
  const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  return new ConfigError([`annotations of the Reg extension: ${count}`, ...lines].join("\n"), faults);
}

/** What the host does not allow annotations to ask for. */
function forbiddenBy({ store, domain, writable, workdir }: Reg, hostConfig: () => HostConfig): Fault[] {
  const faults: Fault[] = [];
  const add = (name: keyof Reg, expected: string, found: string) =>
    faults.push({ pointer: `/annotations/${PREFIX}${name}`, expected, found: JSON.stringify(found) });
  const leave = (property: string) => `what ${HOST_CONFIG} allows by annotations.${property}`;
  const inBundle = (name: keyof Reg, path: string) => {
    if (path.startsWith("/") || path.split("/").includes("..")) add(name, "a path inside the bundle", path);
  };
  let known: NonNullable<HostConfig["annotations"]> | undefined;
  const allowed = () => {
    known ??= hostConfig().annotations ?? {};
    return known;
  };
  if (store !== undefined && store !== defaultStore() && !(allowed().stores ?? []).includes(store))
    add("store", leave("stores"), store);
  if (domain !== undefined && domain !== DEFAULT_DOMAIN && !(allowed().domains ?? []).includes(domain))
    add("domain", leave("domains"), domain);
  if (writable?.type === "directory") {
    if (allowed().writableDirectory !== true) add("writable", leave("writableDirectory"), writable.type);
    inBundle("writable", writable.path ?? "");
  }
  if (workdir !== undefined) {
    if (allowed().workdir !== true) add("workdir", leave("workdir"), workdir.source);
    inBundle("workdir", workdir.source);
  }
  return faults;
}

/** More of them are not told. */
const MOST_UNKNOWN = 100;

function annotationFaults(given: Readonly<Record<string, string>>): Fault[] {
  const unknown = Object.keys(given).filter((name) => !NAMES.some((known) => known === name));
  const faults = unknown.slice(0, MOST_UNKNOWN).map((name): Fault => {
    const suggestion = closest(name, NAMES);
    const fault = { pointer: `/annotations/${PREFIX}${name}`, expected: `one of ${NAMES.join(", ")}`, found: name };
    return suggestion === undefined ? fault : { ...fault, suggestion: `${PREFIX}${suggestion}` };
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
