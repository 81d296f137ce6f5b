/**
 * What of others is in the release: licences, and a bill of materials. Usage: node components.js VERSION DIRECTORY
 *
 *   DIRECTORY/THIRD-PARTY.txt            each component with its licence's text
 *   DIRECTORY/reg-VERSION.cdx.json       CycloneDX 1.5
 *   DIRECTORY/copyright.reg, copyright.reg-env    the same for Debian's packages, in its form
 *   DIRECTORY/static-built-using         Debian's source packages that the binary was made from
 *
 * Packages are those whose files esbuild took into the two programs, so that nothing is left out or named in vain.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD, TOP } from "../paths.ts";

/** Which program a component is in. */
type Program = "reg" | "reg-env";

interface Component {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  readonly text: string;
  readonly purl: string;
  /** SHA-256 of the source archive that was compiled. */
  readonly sha256?: string;
  readonly programs: readonly Program[];
}

const [version, directory] = process.argv.slice(2);
if (version === undefined || directory === undefined) throw new Error("usage: components.js VERSION DIRECTORY");
const time = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000).toISOString();

function read(path: string): string {
  return readFileSync(path, "utf8");
}

/** The text of a package's licence: the file, or what its package.json says. */
function licenceText(folder: string): string {
  const name = readdirSync(folder).find((file) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(file));
  return name === undefined ? "(The package has no file with its licence.)" : read(join(folder, name)).trim();
}

/** The folders of packages that a bundle's inputs come from: the last `node_modules/NAME` of each path. */
function packageFolders(inputs: readonly string[]): string[] {
  const folders = inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

function npmComponents(): Component[] {
  const bundle = JSON.parse(read(join(BUILD, "native/bundle.json"))) as { inputs: Record<string, unknown> };
  const inputs: Record<Program, readonly string[]> = {
    reg: Object.keys(bundle.inputs),
    "reg-env": JSON.parse(read(join(BUILD, "reg-env.inputs.json"))) as string[],
  };
  const found = new Map<string, Component>();
  for (const program of ["reg", "reg-env"] as const)
    for (const folder of packageFolders(inputs[program])) {
      const { name, version, license } = JSON.parse(read(join(TOP, folder, "package.json"))) as Record<string, string>;
      const key = `${name}@${version}`;
      const known = found.get(key);
      found.set(key, {
        name: name ?? "",
        version: version ?? "",
        license: license ?? "NOASSERTION",
        text: licenceText(join(TOP, folder)),
        purl: `pkg:npm/${(name ?? "").replace("@", "%40")}@${version}`,
        programs: [...new Set([...(known?.programs ?? []), program])],
      });
    }
  return [...found.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

/** A value that a script of native-shim/ begins with, as in `version=2.6.0`. */
function pinned(script: string, name: string): string {
  return new RegExp(`^${name}=(.*)$`, "m").exec(read(join(TOP, "native-shim", script)))?.[1] ?? "";
}

/** The version of an installed package of Debian's, and of its source; undefined elsewhere. */
function installed(name: string): string | undefined {
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own form
    const text = execFileSync("dpkg-query", ["-W", "-f", "${source:Version}", name], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    return text.toString();
  } catch {
    return undefined; // not Debian
  }
}

const muslPackage = installed("musl-dev");
const muslLicence = ["/usr/share/doc/musl-dev/copyright", "/usr/share/doc/musl/copyright"].find(existsSync);

/** What is compiled into the native binary beside the TypeScript. */
function nativeComponents(): Component[] {
  const engine = join(BUILD, "engine/source");
  const seccomp = join(BUILD, "seccomp/source");
  const engineVersion = read(join(engine, "VERSION")).trim();
  const seccompVersion = read(join(seccomp, "VERSION")).trim();
  const muslVersion = muslPackage?.replace(/-[^-]*$/, "") ?? "unknown";
  return [
    {
      name: "QuickJS-NG",
      version: engineVersion,
      license: "MIT",
      text: licenceText(engine),
      purl: `pkg:generic/quickjs-ng@${engineVersion}`,
      sha256: pinned("fetch-engine.sh", "sha256"),
      programs: ["reg"],
    },
    {
      name: "libseccomp",
      version: seccompVersion,
      license: "LGPL-2.1-only",
      text: licenceText(seccomp),
      purl: `pkg:generic/libseccomp@${seccompVersion}`,
      sha256: pinned("fetch-seccomp.sh", "sha256"),
      programs: ["reg"],
    },
    {
      name: "musl",
      version: muslVersion,
      license: "MIT",
      text: muslLicence === undefined ? "(MIT; see COPYRIGHT in musl's source.)" : read(muslLicence).trim(),
      purl: `pkg:generic/musl@${muslVersion}`,
      programs: ["reg"],
    },
  ];
}

/** libffi is in ffi-napi's addon. */
function addonComponents(): Component[] {
  const folder = join(TOP, "node_modules/ffi-napi/deps/libffi");
  const version = /AC_INIT\(\[?libffi\]?, *\[?([0-9.a-z-]+)/.exec(read(join(folder, "configure.ac")))?.[1] ?? "unknown";
  const text = licenceText(folder);
  return [
    { name: "libffi", version, license: "MIT", text, purl: `pkg:generic/libffi@${version}`, programs: ["reg-env"] },
  ];
}

const components = [...nativeComponents(), ...addonComponents(), ...npmComponents()];
const unlicensed = components.filter(({ license }) => license === "NOASSERTION");
if (unlicensed.length > 0) throw new Error(`no licence is known of ${unlicensed.map(({ name }) => name).join(", ")}`);

const RULE = "-".repeat(78);
const thirdParty = [
  `What of others is in reg ${version} and reg-env ${version}, and under which licence. reg itself is under the MIT licence.\n`,
  ...components.map(
    ({ name, version, license, programs, text }) =>
      `${RULE}\n${name} ${version} (in ${programs.join(" and ")}): ${license}\n${RULE}\n\n${text}\n`,
  ),
];
writeFileSync(join(directory, "THIRD-PARTY.txt"), thirdParty.join("\n"));

const bill = {
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: {
    timestamp: time,
    component: {
      type: "application",
      "bom-ref": `reg@${version}`,
      name: "reg",
      version,
      licenses: [{ license: { id: "MIT" } }],
    },
  },
  components: components.map(({ name, version, license, purl, sha256, programs }) => ({
    type: "library",
    "bom-ref": purl,
    name,
    version,
    licenses: [/ (AND|OR) /.test(license) ? { expression: license } : { license: { id: license } }],
    purl,
    properties: [
      { name: "reg:in", value: programs.join(", ") },
      ...(sha256 === undefined ? [] : [{ name: "reg:source-archive-sha256", value: sha256 }]),
    ],
  })),
  dependencies: [{ ref: `reg@${version}`, dependsOn: components.map(({ purl }) => purl) }],
};
writeFileSync(join(directory, `reg-${version}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);

/** A paragraph of Debian's copyright format: an empty line is a dot. */
function folded(text: string): string {
  return text
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`))
    .join("\n");
}

for (const program of ["reg", "reg-env"] as const) {
  const parts = components.filter(({ programs }) => programs.includes(program));
  const paragraphs = parts.map(({ name, version, license, text }, index) => {
    const owners = text.match(/^\W*copyright\b.*[0-9]{4}.*$/gim)?.map((line) => line.trim()) ?? ["its authors"];
    const long =
      license === "LGPL-2.1-only"
        ? "On Debian systems the text of the licence is in /usr/share/common-licenses/LGPL-2.1. The source of reg, with\n" +
          "what it takes to link the program anew with another libseccomp, is published beside this package."
        : text;
    const short = `${license.replaceAll(/[ ()]+/g, "-")}-${index + 1}`;
    return `Files: ${name.replaceAll(" ", "-")}-${version}/*\nCopyright: ${[...new Set(owners)].join("\n ")}\nLicense: ${short}\n${folded(long)}\n`;
  });
  const header =
    "Upstream-Name: reg\n" +
    "Comment: The paragraphs below the first are about what is compiled or bundled into the program.\n";
  const own = `Files: *\nCopyright: 2026 the reg authors\nLicense: MIT\n${folded(read(join(TOP, "LICENSE")).trim())}\n`;
  writeFileSync(join(directory, `copyright.${program}`), [header, own, ...paragraphs].join("\n"));
}

const sources = [
  `libseccomp (= ${pinned("fetch-seccomp.sh", "package")})`,
  ...(muslPackage === undefined ? [] : [`musl (= ${muslPackage})`]),
  `quickjs-ng (= ${pinned("fetch-engine.sh", "package")})`,
];
writeFileSync(join(directory, "static-built-using"), sources.join(", "));
