/**
 * Turns the schemas of this folder into runtime/oci/generated/: types, the names of properties, and the fast and the
 * full validators. Run by `make schemas`, before the rest compiles; nothing of ajv is left at run time.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import standaloneModule from "ajv/dist/standalone/index.js";
import { transformSync } from "esbuild";
import { compile } from "json-schema-to-typescript";
import { dropErrors } from "./drop-errors.ts";

type Json = null | boolean | number | string | Json[] | JsonObject;
interface JsonObject {
  [key: string]: Json;
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const output = join(root, "runtime", "oci", "generated");

/** Root types: schema file -> name. Its $defs join one common table, so a name means the same everywhere. */
const ROOTS = {
  config: "Config",
  reg: "Reg",
  host: "HostConfig",
  container: "StateFile",
  state: "State",
  features: "Features",
} as const;

/** Documents that are read and so validated; each is a schema file and an exported function. */
const VALIDATED = ["config", "process", "resources", "reg", "host", "container"] as const;

/** What reg-env reads that others have written: the names in environment.schema.json, and of the exported functions. */
const IMPORTED = { manifest: "Manifest", unit: "Unit", reasons: "Reasons" } as const;

const HEADER = "// Generated from oci-schemas/ by oci-schemas/build.ts. Do not edit.\n";

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy of `schema` in which `change` has replaced objects, innermost first. */
function rewrite(schema: Json, change: (object: JsonObject) => JsonObject): Json {
  if (Array.isArray(schema)) return schema.map((item) => rewrite(item, change));
  if (!isObject(schema)) return schema;
  const copy: JsonObject = {};
  for (const [key, value] of Object.entries(schema)) copy[key] = rewrite(value, change);
  return change(copy);
}

/** Name of the definition that a $ref of any of our files points to. */
function refName(ref: string): string {
  const [file = "", pointer] = ref.split("#/$defs/");
  if (pointer !== undefined) return pointer;
  const key = file.replace(".schema.json", "");
  if (key in ROOTS) return ROOTS[key as keyof typeof ROOTS];
  throw new Error(`no definition for $ref ${ref}`);
}

function readSchema(name: string): JsonObject {
  return JSON.parse(readFileSync(join(root, "oci-schemas", `${name}.schema.json`), "utf8")) as JsonObject;
}

/** All definitions of all files in one table, with local references. */
function readDefinitions(): JsonObject {
  const definitions: JsonObject = {};
  for (const [file, name] of Object.entries(ROOTS)) {
    const { $schema, $id, $defs, title, ...body } = readSchema(file);
    Object.assign(definitions, isObject($defs) ? $defs : {}, { [name]: body });
  }
  return rewrite(definitions, (object) =>
    typeof object.$ref === "string" ? { ...object, $ref: `#/$defs/${refName(object.$ref)}` } : object,
  ) as JsonObject;
}

/** TypeScript for the definitions, every property and array readonly. */
async function types(definitions: JsonObject): Promise<string> {
  // A $ref beside a description would be inlined without its name, so each becomes its type's name.
  const named = rewrite(definitions, ({ $ref, ...rest }) =>
    typeof $ref === "string" ? { ...rest, tsType: refName($ref) } : rest,
  ) as JsonObject;
  const text = await compile(
    { title: "Unused", type: "object", $defs: named } as Parameters<typeof compile>[0],
    "Unused",
    {
      additionalProperties: false,
      unreachableDefinitions: true,
      bannerComment: "",
      format: false,
    },
  );
  const body = text
    .replace(/export interface Unused \{\s*\}\n/, "")
    .replace(
      /\n \* *\n \* This interface was referenced by `Unused`'s JSON-Schema\n \* via the `definition` "\w+"\./g,
      "",
    )
    .replace(/^(\w+\??|\[k: string\]): /gm, "readonly $1: ")
    .replace(/([\w)]+|\([^()\n]*\))\[\]/g, "readonly $1[]");
  return HEADER + body;
}

/** Only what decides validity: descriptions would end up in the code of the full variant, and an enum tells the type. */
function bare(definitions: JsonObject): JsonObject {
  return rewrite(definitions, (object) => {
    const { description, type, ...rest } = object;
    if (typeof description !== "string") return object;
    return type === undefined || rest.enum !== undefined ? rest : { type, ...rest };
  }) as JsonObject;
}

/** For each of VALIDATED, the definition that it is. */
function validated(): Record<string, string> {
  return Object.fromEntries(
    VALIDATED.map((name) => {
      const { $ref } = readSchema(name);
      return [name, refName(typeof $ref === "string" ? $ref : `${name}.schema.json`)];
    }),
  );
}

/** Standalone validators as one ES module without imports. `exported`: names of functions, and their definitions. */
function validators(definitions: JsonObject, exported: Readonly<Record<string, string>>, full: boolean): string {
  const ajv = new Ajv({
    allErrors: full,
    verbose: full,
    messages: false,
    strict: true,
    strictNumbers: full,
    inlineRefs: false, // a call is the smaller code
    discriminator: true,
    code: { source: true, esm: true, lines: true, optimize: 2 },
  });
  ajv.addSchema({ $id: "bundle", $defs: bare(definitions) });
  const standalone = standaloneModule.default;
  const references = Object.entries(exported).map(([name, definition]) => [name, `bundle#/$defs/${definition}`]);
  return standalone(ajv, Object.fromEntries(references));
}

/** So many violations are told; a document may have millions of them, each larger than what it is about. */
const MOST_VIOLATIONS = 10_000;

/** Errors are added to one list, which has an end: ajv makes a new list of all for each reference, in quadratic time. */
function boundErrors(code: string): string {
  const helpers =
    `function add(list, error) { if (list.length < ${MOST_VIOLATIONS}) list.push(error); }\n` +
    "function join(list, more) { if (list === null) return more; for (const error of more) add(list, error); return list; }\n";
  const joined = code.replace(
    /vErrors === null \? (\w+)\.errors : vErrors\.concat\(\1\.errors\)/g,
    "join(vErrors, $1.errors)",
  );
  if (joined.includes(".concat(")) throw new Error("ajv concatenates errors in another way");
  return helpers + joined.replaceAll("vErrors.push(", "add(vErrors, ");
}

const FULL_TYPES = `export interface Violation {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly schema: unknown;
  readonly parentSchema: Readonly<Record<string, unknown>>;
  readonly data: unknown;
}
export interface Validator {
  (document: unknown): boolean;
  readonly errors?: readonly Violation[] | null;
}
`;

const IMPORTED_TYPES = 'import type { Validator } from "./full.generated.ts";\n';

/** For names that are close to a known one: definition -> property -> its kind, `[]` for lists and `{}` for maps of it. */
function names(definitions: JsonObject): string {
  const kind = (schema: Json | undefined): string => {
    if (!isObject(schema)) return "";
    if (typeof schema.$ref === "string") {
      const target = refName(schema.$ref);
      const definition = definitions[target];
      return isObject(definition) && isObject(definition.properties) ? target : "";
    }
    const list = kind(schema.items);
    const map = kind(schema.additionalProperties);
    return list !== "" ? `[]${list}` : map !== "" ? `{}${map}` : "";
  };
  const table: Record<string, Record<string, string>> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    if (!isObject(definition) || !isObject(definition.properties)) continue;
    if (/^(Features|State)/.test(name)) continue;
    table[name] = Object.fromEntries(Object.entries(definition.properties).map(([key, value]) => [key, kind(value)]));
  }
  const type = "Readonly<Record<string, Readonly<Record<string, string>>>>";
  return `${HEADER}export const NAMES: ${type} = ${JSON.stringify(table)};\n`;
}

function write(name: string, text: string): void {
  writeFileSync(join(output, name), text);
  console.log(`runtime/oci/generated/${name} ${Buffer.byteLength(text)} bytes`);
}

/** Minified, and typed for the rest: the code itself is not for reading, and tsc need not check it. */
function module(code: string, names: readonly string[], type: string, imports: string): string {
  if (code.includes("require(")) throw new Error("a schema keyword needs ajv's run-time helpers; use another one");
  const { code: small } = transformSync(code, { minify: true, treeShaking: true, format: "esm", target: "es2023" });
  const bindings = /export\{([^}]*)\};?\s*$/.exec(small);
  if (bindings === null) throw new Error("esbuild left no export list at the end");
  const exports = (bindings[1] ?? "")
    .split(",")
    .map((pair) => pair.split(" as "))
    .filter(([, name]) => names.some((exported) => exported === name))
    .map(([local, name]) => `export const ${name}: ${type} = ${local};`);
  return `${HEADER}// @ts-nocheck\n${imports}${small.slice(0, bindings.index)}\n${exports.join("\n")}\n`;
}

const definitions = readDefinitions();
mkdirSync(output, { recursive: true });
write("types.generated.ts", await types(definitions));
const fast = dropErrors(validators(definitions, validated(), false));
write("fast.generated.ts", module(fast, VALIDATED, "(document: unknown) => boolean", ""));
const full = boundErrors(validators(definitions, validated(), true));
write("full.generated.ts", module(full, VALIDATED, "Validator", FULL_TYPES));
const imported = boundErrors(validators(readSchema("environment").$defs as JsonObject, IMPORTED, true));
write("imported.generated.ts", module(imported, Object.keys(IMPORTED), "Validator", IMPORTED_TYPES));
write("names.generated.ts", names(definitions));
