/**
 * Compilers: the assembler and the linker, which the driver looks up in PATH; headers; and of libraries to link with those of C, with what every program
 * begins with. Source: GCC's manual, "Spec Files" and "Directory Options".
 */
import { basename } from "node:path";
import type { Rule } from "../collector.ts";

const DRIVER = /^(?:\w+-linux-\w+-)?(?:gcc|g\+\+|cc|c\+\+|c[89]9|clang|clang\+\+|gfortran|gdc|gnat|tcc)(?:-[\d.]+)?$/;
const HEADERS = ["/usr/include", "/usr/local/include"];
const LIBRARIES = ["/usr/lib", "/usr/lib64", "/usr/lib/*-linux-*"].flatMap((folder) => [
  `${folder}/*crt*.o`,
  `${folder}/lib{c,c_nonshared,m,m-*,mvec,mvec_nonshared,pthread,pthread_nonshared,dl,rt,util,resolv,g,anl,crypt}.{a,so}`,
]);

export const compiler: Rule = {
  name: "compiler",
  apply({ path, elf, process }, collector) {
    if (elf === undefined || process?.program.path !== path || !DRIVER.test(basename(path))) return;
    const asker = { rule: "compiler", from: path, text: `${path} compiles with it`, as: "data" } as const;
    for (const folder of HEADERS) collector.addPattern(folder, asker);
    for (const pattern of LIBRARIES) collector.addPattern(pattern, { ...asker, text: `${path} links with it` });
    const [prefix = ""] = /^\w+-linux-\w+-/.exec(basename(path)) ?? [];
    for (const name of ["as", "ld", ...(prefix === "" ? [] : [`${prefix}as`, `${prefix}ld`])]) {
      const program = collector.findProgram(name);
      if (program !== undefined) collector.add(program, { ...asker, text: `${path} runs it`, as: "program" });
    }
  },
};

const TOOL = /^(g?make|cmake|ninja|meson|scons|bmake)$/;
/** What they run, when it is there; what a project's own lines call is its own. */
// biome-ignore format: a list of words
const RUN = ["sh", "cc", "c++", "gcc", "g++", "make", "gmake", "ninja", "as", "ld", "ar", "ranlib", "nm", "strip", "objcopy", "uname", "rm", "mkdir", "cp"];

/** Build tools run the compiler by the names of make's own rules, and each line by a shell. Source: make's manual, "Implicit Variables". */
export const buildTools: Rule = {
  name: "build-tools",
  apply({ path, elf, process, asker }, collector) {
    if (elf === undefined || process?.program.path !== path || !TOOL.test(basename(path)) || asker.calls !== true)
      return;
    for (const name of RUN) {
      const program = collector.findProgram(name);
      if (program !== undefined && program !== path)
        collector.add(program, {
          rule: "build-tools",
          from: path,
          text: `${path} runs it`,
          as: "program",
          calls: true,
        });
    }
  },
};
