/**
 * Lays out npm's packages. Usage: node npm.js library|native VERSION ARCH DIRECTORY; $REG is the native binary
 *
 *   DIRECTORY/reg/               the library, reg-env, and a launcher of the native binary
 *   DIRECTORY/reg-linux-CPU/     the native binary; npm installs the one for the machine, as it is an optional dependency with `os` and `cpu`
 */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD, REG, TOP } from "../paths.ts";

const [what, version, arch, directory] = process.argv.slice(2);
if (version === undefined || directory === undefined)
  throw new Error("usage: npm.js library|native VERSION ARCH DIRECTORY");

const CPUS = ["x64", "arm64"] as const;
const manifest = JSON.parse(readFileSync(join(TOP, "package.json"), "utf8")) as Record<string, unknown>;
const { private: _private, scripts: _scripts, devDependencies: _development, ...kept } = manifest;
const common = { license: "MIT", engines: manifest.engines };

function write(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
}

function layLibrary(version: string, directory: string): void {
  const library = join(directory, "reg");
  cpSync(join(TOP, "dist/runtime"), join(library, "dist/runtime"), {
    recursive: true,
    filter: (path) => !/\.test\.(js|d\.ts)$|\/reg-env\/(man|build)\.|\/cli\/man$/.test(path),
  });
  write(
    library,
    "package.json",
    `${JSON.stringify(
      {
        ...kept,
        version,
        files: ["dist", "THIRD-PARTY.txt"],
        os: ["linux"],
        bin: { reg: "./dist/runtime/launch.js", "reg-env": "./dist/runtime/reg-env/main.js" },
        optionalDependencies: Object.fromEntries(CPUS.map((cpu) => [`reg-linux-${cpu}`, version])),
      },
      null,
      2,
    )}\n`,
  );
  for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) copyFileSync(join(TOP, name), join(library, name));
  copyFileSync(join(BUILD, "release/THIRD-PARTY.txt"), join(library, "THIRD-PARTY.txt"));
}

function layNative(version: string, directory: string): void {
  const cpu = arch === "amd64" ? "x64" : "arm64";
  const native = join(directory, `reg-linux-${cpu}`);
  write(
    native,
    "package.json",
    `${JSON.stringify(
      {
        name: `reg-linux-${cpu}`,
        version,
        description: `The native binary of reg for Linux on ${cpu}`,
        ...common,
        type: "module",
        os: ["linux"],
        cpu: [cpu],
        exports: { "./bin/reg": "./bin/reg", "./package.json": "./package.json" },
        files: ["bin", "THIRD-PARTY.txt"],
        preferUnplugged: true,
      },
      null,
      2,
    )}\n`,
  );
  write(
    native,
    "README.md",
    `# reg-linux-${cpu}\n\nThe native binary of reg, an OCI container runtime, for Linux on ${cpu}. Install \`reg\`.\n`,
  );
  copyFileSync(join(TOP, "LICENSE"), join(native, "LICENSE"));
  copyFileSync(join(BUILD, "release/THIRD-PARTY.txt"), join(native, "THIRD-PARTY.txt"));
  mkdirSync(join(native, "bin"));
  copyFileSync(REG, join(native, "bin/reg"));
  chmodSync(join(native, "bin/reg"), 0o755);
}

if (what === "library") layLibrary(version, directory);
else layNative(version, directory);
