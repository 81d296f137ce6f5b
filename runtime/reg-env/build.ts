/**
 * Build tool: bundles reg-env with the packages it needs, so that it runs where there is Node and nothing else.
 * Usage: node dist/runtime/reg-env/build.js DIRECTORY REG; REG is where the native binary will be.
 *
 *   reg-env.mjs                         the program
 *   node_modules/{ffi,ref}-napi/        a bundle each of the packages that call libc, and the addon, compiled for this machine's kind
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Plugin } from "esbuild";

const TOP = fileURLToPath(new URL("../../..", import.meta.url));
const [directory, reg] = process.argv.slice(2);
if (directory === undefined || reg === undefined) throw new Error("usage: build.js DIRECTORY REG");
const require = createRequire(import.meta.url);

const COMMON = {
  absWorkingDir: TOP,
  bundle: true,
  platform: "node",
  target: "node20",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
} as const satisfies BuildOptions;

/** Packages with an addon look for it in folders that a bundle does not have: each gets its own, beside it. */
function addons(out: string): Plugin {
  return {
    name: "addons",
    setup(build) {
      build.onResolve({ filter: /^node-gyp-build$/ }, ({ importer }) => ({
        path: relative(TOP, importer), // the bundle has it in a comment
        namespace: "addon",
      }));
      build.onLoad({ filter: /.*/, namespace: "addon" }, ({ path }) => {
        const addon: string = require("node-gyp-build").path(join(TOP, dirname(dirname(path))));
        const name = basename(addon);
        copyFileSync(addon, join(out, name));
        // Debug information holds the path of the build. To remove a section with it would cost the addon its GNU_RELRO.
        execFileSync("strip", ["--strip-unneeded", join(out, name)]);
        chmodSync(join(out, name), 0o644);
        return { contents: `module.exports = () => require("./${name}")`, loader: "js" };
      });
      build.onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
    },
  };
}

/** What of a package the Node host asks for: of ffi-napi the call itself, too, which is not among what it exports. */
function entryOf(name: string): Pick<BuildOptions, "entryPoints" | "stdin"> {
  if (name !== "ffi-napi") return { entryPoints: [`./node_modules/${name}`] };
  const contents = `module.exports = { ...require("${name}"), bindings: require("${name}/lib/bindings") };`;
  return { stdin: { contents, resolveDir: TOP, sourcefile: "runtime/reg-env/build.ts" } };
}

const inputs = new Set<string>();
const note = (found: Record<string, unknown>) => {
  for (const path of Object.keys(found)) inputs.add(path);
};

const program = await build({
  ...COMMON,
  entryPoints: ["runtime/reg-env/main.ts"],
  format: "esm",
  outfile: join(directory, "reg-env.mjs"),
  alias: { "#host": "./runtime/host/node-ffi.ts" },
  define: { REG_INSTALLED: JSON.stringify(reg) },
});
note(program.metafile.inputs);
chmodSync(join(directory, "reg-env.mjs"), 0o755);

for (const name of ["ffi-napi", "ref-napi"]) {
  const out = join(directory, "node_modules", name);
  mkdirSync(out, { recursive: true });
  const { metafile } = await build({
    ...COMMON,
    ...entryOf(name),
    format: "cjs",
    outfile: join(out, "index.js"),
    plugins: [addons(out)],
  });
  note(metafile.inputs);
}
mkdirSync(join(directory, "node_modules/ffi-napi/lib"), { recursive: true });
writeFileSync(
  join(directory, "node_modules/ffi-napi/lib/bindings.js"),
  'module.exports = require("../index.js").bindings;\n',
);

// Which packages are in it, for the list of licences.
mkdirSync(join(TOP, "build"), { recursive: true });
const files = [...inputs].map((path) => path.replace(/^addon:/, "")).sort();
writeFileSync(join(TOP, "build/reg-env.inputs.json"), `${JSON.stringify(files, null, 1)}\n`);
