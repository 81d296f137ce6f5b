/**
 * Documents for the runtime to read: made from the JSON Schemas, so that they get far, and then changed, so that they break what is
 * behind the schema. What could harm the machine that this runs on is taken out again by `confine`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TOP } from "../paths.ts";
import type { Random } from "./random.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

const files = new Map<string, Schema>();

function file(name: string): Schema {
  let schema = files.get(name);
  if (schema === undefined) {
    schema = JSON.parse(readFileSync(join(TOP, "oci-schemas", name), "utf8")) as Schema;
    files.set(name, schema);
  }
  return schema;
}

/** A schema and the file that its references start from. */
interface Place {
  readonly schema: Schema;
  readonly file: string;
}

function resolve(place: Place): Place {
  const { $ref } = place.schema;
  if ($ref === undefined) return place;
  const [name = "", pointer = ""] = $ref.split("#/$defs/");
  const target = name === "" ? place.file : name;
  const schema = pointer === "" ? file(target) : file(target).$defs?.[pointer];
  if (schema === undefined) throw new Error(`no schema at ${$ref}`);
  return resolve({ schema, file: target });
}

const NUMBERS = [
  0,
  1,
  -1,
  2,
  7,
  63,
  64,
  255,
  256,
  4095,
  4096,
  65535,
  65536,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  2 ** 64,
];
const WORDS = [
  "",
  "/",
  ".",
  "..",
  "a",
  "/a",
  "/dev",
  "/dev/null",
  "/proc",
  "/proc/self/exe",
  "/sys",
  "/tmp/x",
  "a/../..",
  "//",
  "/a/../../b",
  "-1",
  "0",
  "0-3",
  "max",
  "ro",
  "rbind",
  "__proto__",
  "constructor",
  "toString",
  "a b",
  "a\nb",
  "a\u0000b",
  "\u001b[2J",
  "\u00e9",
  "\udcff",
  "\ud800",
  "\u202e",
  "=",
  "A=",
  "%s%n",
  "1.0.2",
  "CAP_SYS_ADMIN",
  "SCMP_ARCH_X86_64",
  "net.core.somaxconn",
  "kernel.msgmax",
  "x".repeat(300),
  "/x".repeat(1000),
];
const KEYS = [
  "x",
  "__proto__",
  "constructor",
  "",
  "a/b",
  "a~b",
  "net.core.somaxconn",
  "memory.max",
  "org.reg.environments",
  "monotonic",
];

/** A value that fits the schema, as a rule. */
export function make(random: Random, place: Place, depth = 0): Json {
  const { schema, file } = resolve(place);
  if (schema.enum !== undefined) return random.pick(schema.enum);
  switch (schema.type) {
    case "boolean":
      return random.oneIn(2);
    case "integer": {
      const { minimum = -(2 ** 63), maximum = 2 ** 64 } = schema;
      const fitting = NUMBERS.filter((number) => number >= minimum && number <= maximum);
      return random.oneIn(2) ? random.pick(fitting) : Math.max(minimum, random.below(1000));
    }
    case "string":
      return random.pick(WORDS);
    case "array":
      if (schema.items === undefined) return [];
      return Array.from({ length: random.below(depth > 3 ? 2 : 4) }, () =>
        make(random, { schema: schema.items ?? {}, file }, depth + 1),
      );
    case "object": {
      const object: JsonObject = {};
      for (const [name, property] of Object.entries(schema.properties ?? {}))
        if (schema.required?.includes(name) === true || random.oneIn(depth === 0 ? 2 : 3))
          set(object, name, make(random, { schema: property, file }, depth + 1));
      if (schema.additionalProperties !== undefined)
        for (let count = random.below(3); count > 0; count--)
          set(object, random.pick(KEYS), make(random, { schema: schema.additionalProperties, file }, depth + 1));
      return object;
    }
    default:
      return odd(random);
  }
}

/** As JSON.parse does it: __proto__ is a name like any other. */
function set(object: JsonObject, name: string, value: Json): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

/** A value of any type. */
function odd(random: Random): Json {
  const kinds: (() => Json)[] = [
    () => null,
    () => random.oneIn(2),
    () => random.pick(NUMBERS),
    () => random.pick([1.5, -0.1, 1e300, -1e300]),
    () => random.pick(WORDS),
    () => [],
    () => ({}),
    () => [null],
    () => Array.from({ length: random.below(50) }, () => random.pick(WORDS)),
    () => JSON.parse(`${"[".repeat(200)}${"]".repeat(200)}`),
  ];
  return random.pick(kinds)();
}

export type Kind = "config" | "process" | "resources" | "container";

/** Changes a document in place, a few times: a part made anew by its schema, one of another type, one less, one more. */
export function mutate(random: Random, kind: Kind, document: JsonObject): void {
  for (let count = 1 + random.below(5); count > 0; count--) {
    let place = resolve({ schema: file(`${kind}.schema.json`), file: `${kind}.schema.json` });
    let node: Json = document;
    for (let depth = 0; depth < 8; depth++) {
      if (typeof node !== "object" || node === null) break;
      if (Array.isArray(node)) {
        const items: Schema = place.schema.items ?? {};
        const index = random.below(node.length + 1);
        if (index < node.length && depth < 7 && random.oneIn(2)) {
          place = resolve({ schema: items, file: place.file });
          node = node[index] ?? null;
          continue;
        }
        if (random.oneIn(4) && node.length > 0) node.splice(index % node.length, 1);
        else
          node.splice(
            index,
            random.below(2),
            random.oneIn(3) ? odd(random) : make(random, { schema: items, file: place.file }),
          );
        break;
      }
      const known: readonly string[] = Object.keys(place.schema.properties ?? {});
      const name: string =
        known.length === 0 || random.oneIn(20) ? random.pick([...KEYS, ...Object.keys(node)]) : random.pick(known);
      const schema: Schema = place.schema.properties?.[name] ?? place.schema.additionalProperties ?? {};
      const below: Json | undefined = Object.hasOwn(node, name) ? node[name] : undefined;
      if (typeof below === "object" && below !== null && !random.oneIn(4)) {
        place = resolve({ schema, file: place.file });
        node = below;
        continue;
      }
      if (random.oneIn(6)) delete node[name];
      else set(node, name, random.oneIn(4) ? odd(random) : make(random, { schema, file: place.file }));
      break;
    }
  }
}

/** A document made from nothing but its schema. */
export function fresh(random: Random, kind: Kind): JsonObject {
  const made = make(random, { schema: file(`${kind}.schema.json`), file: `${kind}.schema.json` });
  return typeof made === "object" && made !== null && !Array.isArray(made) ? made : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Takes out what would reach beyond the container: a mount namespace and cgroup of its own stay, sources are in the bundle, hooks and
 * programs do nothing, devices of the network and namespaces of the host are left alone. `mark` is in the cgroup's name.
 */
export function confine(random: Random, config: JsonObject, mark: string, id: string): void {
  if (isObject(config.root)) config.root.path = "rootfs";
  if (isObject(config.process)) confineProcess(random, config.process, mark);
  if (Array.isArray(config.mounts))
    for (const mount of config.mounts)
      if (isObject(mount) && typeof mount.source === "string")
        mount.source = random.pick(["tmpfs", "proc", "rootfs", "."]);
  if (isObject(config.hooks))
    for (const hooks of Object.values(config.hooks))
      if (Array.isArray(hooks))
        for (const hook of hooks)
          if (isObject(hook) && typeof hook.path === "string") {
            hook.path = random.pick(["/bin/true", "/bin/false", "/nowhere", "relative"]);
            delete hook.args;
            if (typeof hook.timeout === "number" && hook.timeout > 0) hook.timeout = 1;
          }
  if (!isObject(config.linux)) return;
  const { linux } = config;
  linux.cgroupsPath = `/${id}`; // its parents would stay
  delete linux.intelRdt;
  if (isObject(linux.netDevices))
    linux.netDevices = Object.fromEntries(
      Object.values(linux.netDevices).map((device, index) => [`reg-none${index}`, device]),
    );
  if (isObject(linux.seccomp) && typeof linux.seccomp.listenerPath === "string")
    linux.seccomp.listenerPath = "/nowhere";
  if (!Array.isArray(linux.namespaces)) linux.namespaces = [];
  const kept = linux.namespaces.filter((one) => !isObject(one) || (one.type !== "mount" && one.type !== "pid"));
  for (const one of kept)
    if (isObject(one) && typeof one.path === "string")
      one.path = random.pick(["", "/nowhere", "/dev/null", "/proc/self/ns/net"]);
  linux.namespaces = [{ type: "mount" }, { type: "pid" }, ...kept];
}

/** Programs that end at once, by the mark in their environment those of this run. */
export function confineProcess(random: Random, process: JsonObject, mark: string): void {
  if (Array.isArray(process.args) && process.args.length > 0) {
    process.args[0] = random.pick(["/bin/true", "/bin/true", "true", "/bin/false", "/nowhere"]);
  }
  if (Array.isArray(process.env)) process.env.push(`MARK=${mark}`);
}
