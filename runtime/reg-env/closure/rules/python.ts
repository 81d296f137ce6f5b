/**
 * Python's library: what the interpreter finds by its own place. Each extension module brings its own libraries.
 * Source: Python's Modules/getpath.py (landmark os.py), site.py (pyvenv.cfg, dist-packages of Debian).
 */
import { basename, dirname, join } from "node:path";
import type { Collector, Rule } from "../collector.ts";

/** Parts of the library for its own tests, for teaching and for building Python, not for programs. */
const LEFT_OUT = /\/(test|tests|idlelib|turtledemo|ensurepip|config-\d[^/]*)$/;

export const python: Rule = {
  name: "python",
  apply({ path, asked, elf, process, interpreter }, collector) {
    if (interpreter !== undefined && /^python[\d.]*$/.test(basename(interpreter)))
      collector.defer(() => takeNamedFolders(path, interpreter, collector)); // the interpreter has to be looked at first
    if (elf === undefined || process === undefined || process.program.path !== path) return;
    const names = [basename(path), ...process.objects.flatMap((object) => [...object.names])];
    const version = names
      .map((name) => /^(?:lib)?python(\d+\.\d+)/.exec(name)?.[1])
      .find((found) => found !== undefined);
    if (version === undefined) return;
    const prefix = dirname(dirname(path));
    const asker = {
      rule: "python",
      from: path,
      text: `part of Python's library, which ${path} finds by its own place`,
      process,
      as: "data",
    } as const;
    const accept = (file: string) => !LEFT_OUT.test(file);
    const { root } = collector;
    const libraries = [prefix, "/usr", "/usr/local"].flatMap((each) => [
      `${each}/lib/python${version}`,
      `${each}/lib64/python${version}`,
    ]);
    const own = libraries.find((folder) => root.isFile(`${folder}/os.py`));
    if (own === undefined) {
      collector.warnings.add(`${path} is Python ${version}, but its library is not in ${libraries[0]}`);
      return;
    }
    collector.addTree(own, asker, accept);
    const more = [
      `${prefix}/lib64/python${version}`,
      `${prefix}/lib/python3/dist-packages`,
      `/usr/local/lib/python${version}/dist-packages`,
    ];
    for (const folder of more) if (folder !== own) collector.addTree(folder, asker, accept);
    collector.add("/etc/mime.types", {
      ...asker,
      text: `${path} tells the media types of files by it (module mimetypes)`,
    });
    collector.addPattern("/usr/share/zoneinfo/{UTC,Etc/UTC}", {
      ...asker,
      text: `${path} knows time zones by it (module zoneinfo)`,
    });
    const environment = dirname(dirname(asked));
    if (root.isFile(join(environment, "pyvenv.cfg")))
      collector.addTree(environment, { ...asker, text: `part of the virtual environment of ${asked}` });
  },
};

/** Folders of modules that a script names, as Debian's own scripts do: sys.path.insert(0, "/usr/share/python3"). */
function takeNamedFolders(script: string, interpreter: string, collector: Collector): void {
  const { root } = collector;
  for (const [, , folder = ""] of (root.readText(script) ?? "").matchAll(/(["'])(\/(?:usr|opt|srv)\/[^"'\n]+)\1/g)) {
    const names = root.list(folder);
    const holdsModules = names.some((name) => name.endsWith(".py") || root.isFile(join(folder, name, "__init__.py")));
    if (holdsModules && !/\/s?bin\/?$/.test(folder))
      collector.addTree(folder.replace(/(.)\/+$/, "$1"), {
        rule: "python",
        from: script,
        text: `modules that ${script} names by their folder`,
        as: "data",
        process: collector.processes.get(interpreter),
      });
  }
}
