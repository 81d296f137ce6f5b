/** The layers: imports point down only. This reads every import below runtime/ and checks where it leads. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const architecture = suite("architecture");

/** This file runs as dist/runtime/architecture.test.js. */
const RUNTIME = fileURLToPath(new URL("../../runtime/", import.meta.url));

/** What the files of a folder may import from others; "errors" is open to all. Files at the top name themselves. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["cli", "shim", "container", "oci", "linux", "libc", "#host"],
  "index.ts": ["container", "oci", "linux", "libc", "#host"],
  "launch.ts": ["host"],
  cli: ["container", "oci", "linux", "libc", "#host", "#yargs", "yargs-parser/browser", "yargs-factory", "cliui-core"],
  shim: ["container", "reg", "oci", "linux", "libc", "#host"],
  container: ["oci", "linux", "libc", "#host"],
  init: ["oci", "linux", "libc", "#host"],
  reg: ["linux", "libc", "#host", "@noble/hashes/sha2.js"],
  // A program of its own, for Node only: nothing imports it.
  "reg-env": ["reg", "linux", "libc", "#host", "oci", "yargs", "ora", "minimatch"],
  oci: ["linux", "libc", "#host"],
  linux: ["libc", "#host"],
  libc: ["host", "#host"],
  host: [],
  errors: [],
};

/** What stands beside the layers: which file may import which. */
const DOORS: readonly (readonly [from: RegExp, to: RegExp])[] = [
  // The runtime and init meet where one starts the other, and in the messages between them.
  [/^container\//, /^init\/(protocol|channel|spawned|spawn|exec|restore|task)\.ts$/],
  [/^cli\/commands\/init\.ts$/, /^init\/(enter|spawn|exec|restore|task)\.ts$/],
  // The Reg wing rewrites a config before a container is planned.
  [/^(cli\/|oci\/|index\.ts$)/, /^reg\//],
  [/^reg\//, /^(oci\/|container\/plan\.ts$)/],
  // Build tools of reg-env: completion is made as reg's is, and the program is bundled.
  [/^reg-env\/(build|completion|man)\.ts$/, /^(cli\/(command|completion)\.ts|esbuild)$/],
];

/** Where Node's own modules are allowed. */
const NODE_ONLY = /^(host\/(node-ffi|native-binary)\.ts|launch\.ts|reg-env\/.*|cli\/man\/build\.ts|.*\.test\.ts)$/;

interface Import {
  readonly file: string;
  /** A path below runtime/, or the name of a package. */
  readonly target: string;
  readonly dynamic: boolean;
}

const files = readdirSync(RUNTIME, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const code = readFileSync(join(RUNTIME, file), "utf8").replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "");
  const found: Import[] = [];
  for (const [, name = ""] of code.matchAll(/^(?:(?:import|export)\b[^;"=]*?\bfrom\s*|import\s*)"([^"]+)";/gm))
    found.push({ file, target: resolve(file, name), dynamic: false });
  for (const [, name = ""] of code.matchAll(/\bimport\("([^"]+)"\)/g))
    found.push({ file, target: resolve(file, name), dynamic: true });
  return found;
}

function resolve(file: string, name: string): string {
  return name.startsWith(".") ? normalize(join(dirname(file), name)) : name;
}

/** `cli` for cli/commands/run.ts, `main.ts` for itself. */
function layerOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function isTest(file: string): boolean {
  return file.endsWith(".test.ts");
}

function isAllowed({ file, target }: Import): boolean {
  const own = layerOf(file);
  // A package is named whole.
  const theirs = target.endsWith(".ts") ? layerOf(target) : target;
  if (theirs === own || theirs === "errors") return true;
  if (target.startsWith("node:")) return NODE_ONLY.test(file);
  return LAYERS[own]?.includes(theirs) === true || DOORS.some(([from, to]) => from.test(file) && to.test(target));
}

function show({ file, target }: Import): string {
  return `${file} imports ${target}`;
}

architecture("the imports are found", () => {
  assert.ok(imports.length > 200, `only ${imports.length}`);
  assert.ok(imports.some(({ file, target }) => file === "container/create.ts" && target === "libc/file.ts"));
  assert.ok(imports.some(({ file, target, dynamic }) => file === "main.ts" && target === "oci/explain.ts" && dynamic));
});

architecture("imports point down", () => {
  const wrong = imports.filter(({ file }) => !isTest(file)).filter((each) => !isAllowed(each));
  assert.equal(wrong.map(show), []);
});

architecture("Node's modules are imported by the Node host, reg-env, build tools and tests only", () => {
  const wrong = imports.filter(({ file, target }) => target.startsWith("node:") && !NODE_ONLY.test(file));
  assert.equal(wrong.map(show), []);
});

architecture("every folder is a known layer", () => {
  const unknown = files.filter((file) => !isTest(file)).map(layerOf);
  assert.equal(
    [...new Set(unknown)].filter((layer) => LAYERS[layer] === undefined),
    [],
  );
});

// On the native host a module without its line table, which is every one but the entry, cannot name itself to import().
architecture("only the entry module loads modules while it runs", () => {
  const wrong = imports.filter(({ file, dynamic }) => dynamic && !["main.ts", "cli/registry.ts"].includes(file));
  assert.equal(wrong.map(show), []);
  const registry = imports.filter(({ file, target }) => target === "cli/registry.ts" && !isTest(file));
  assert.equal(registry.map(({ file }) => file).sort(), ["cli/man/build.ts", "main.ts"]);
});

/** Globals that Node has and QuickJS has not. */
const FOREIGN =
  /\b(console\.(log|error|warn)|Buffer\.|setTimeout\(|setImmediate\(|queueMicrotask\(|new URL\(|TextEncoder|TextDecoder|structuredClone\(|Atomics\.|Intl\.|globalThis)/;

architecture("nothing but the Node host uses globals that only Node has", () => {
  const wrong = files
    .filter((file) => !NODE_ONLY.test(file) && !file.includes(".generated."))
    .flatMap((file) => {
      const code = readFileSync(join(RUNTIME, file), "utf8").replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "");
      const found = FOREIGN.exec(code);
      return found === null ? [] : [`${file} uses ${found[0]}`];
    });
  assert.equal(wrong, []);
});

architecture.run();
