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
