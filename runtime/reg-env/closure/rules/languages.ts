/** Languages whose library is in known folders: a table. Python, Perl and Node have rules of their own. */
import { basename, dirname } from "node:path";
import type { Rule } from "../collector.ts";

interface Language {
  readonly name: string;
  readonly program: RegExp;
  /** Folders, or globs of folders. */
  readonly folders: readonly string[];
  /** The library is where the program is, so many folders up: /usr/lib/jvm/NAME/bin/java. */
  readonly home?: number;
}

const LANGUAGES: readonly Language[] = [
  {
    name: "Ruby",
    program: /^ruby[\d.]*$/,
    folders: [
      "/usr/lib/ruby",
      "/usr/lib/*-linux-*/ruby",
      "/usr/local/lib/ruby",
      "/usr/share/rubygems-integration",
      "/usr/share/ruby",
      "/var/lib/gems",
    ],
  },
  {
    name: "PHP",
    program: /^php(-cgi|-fpm)?[\d.]*$/,
    folders: [
      "/etc/php",
      "/usr/lib/php",
      "/usr/share/php",
      "/usr/share/php*-*",
      "/usr/share/zoneinfo",
      "/usr/local/lib/php",
      "/usr/local/etc/php",
    ],
  },
  {
    // The virtual machine opens its own libraries by their place, beside libjvm.so.
    name: "Java",
    program: /^java$/,
    home: 2,
    folders: ["/etc/java-*", "/etc/ssl/certs/java", "/usr/share/java/java-atk-wrapper.jar"],
  },
  {
    name: "Lua",
    program: /^lua(jit)?[\d.-]*$/,
    folders: ["/usr/share/lua", "/usr/lib/*-linux-*/lua", "/usr/local/share/lua", "/usr/local/lib/lua"],
  },
  {
    name: "Tcl",
    program: /^tclsh[\d.]*$/,
    folders: ["/usr/share/tcltk", "/usr/lib/tcltk", "/usr/lib/*-linux-*/tcltk"],
  },
  {
    name: "Emacs Lisp",
    program: /^emacs(-[\w.-]+)?$/,
    folders: ["/usr/share/emacs", "/usr/lib/emacs", "/usr/lib/*-linux-*/emacs"],
  },
];

const LEFT_OUT = /\/(doc|man|ri|demo|src\.zip|site-lisp\/debian-startup)$/;

export const languages: Rule = {
  name: "languages",
  apply({ path, elf, process }, collector) {
    if (elf === undefined || process?.program.path !== path) return;
    for (const { name, program, folders, home } of LANGUAGES) {
      if (!program.test(basename(path))) continue;
      const asker = {
        rule: "languages",
        from: path,
        text: `part of the library of ${name}`,
        process,
        as: "data",
      } as const;
      const accept = (file: string) => !LEFT_OUT.test(file);
      let own = path;
      for (let count = home ?? 0; count > 0; count -= 1) own = dirname(own);
      // Not the whole of /usr, where the program is in its bin/.
      if (home !== undefined && own.split("/").length > 3) collector.addTree(own, asker, accept);
      for (const folder of folders)
        for (const found of folder.includes("*") ? collector.glob(folder) : [folder])
          if (collector.root.isDirectory(found)) collector.addTree(found, asker, accept);
    }
  },
};
