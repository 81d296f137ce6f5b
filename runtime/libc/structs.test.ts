/** Every layout of structs.ts against the C compiler: sizeof and offsetof of the headers on this machine. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as structs from "./structs.ts";

const HEADERS = `
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/fsverity.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/stat.h>
#include <net/if.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
`;

/** The C type of each layout, where it is not the name in lower case with "struct" before it. */
const TYPES: Partial<Record<keyof typeof structs, string>> = {
  DIRENT: "struct dirent64",
  SIGINFO: "siginfo_t",
  SIGSET: "sigset_t",
  CAP_HEADER: "struct __user_cap_header_struct",
  CAP_DATA: "struct __user_cap_data_struct",
};
/** Fields that JavaScript calls otherwise, because "size" is the size of the struct. */
const FIELDS: Readonly<Record<string, string>> = { size_field: "size" };

/** libseccomp's header, which fetch-seccomp.sh leaves there. */
const SECCOMP = fileURLToPath(new URL("../../../build/seccomp/source/include", import.meta.url));

/** Asks the compiler for every size and offset at once; one `NAME field number` a line. */
function askCompiler(): Map<string, number> {
  const lines = Object.entries(structs).flatMap(([name, layout]) => {
    const type = TYPES[name as keyof typeof structs] ?? `struct ${name.toLowerCase()}`;
    return Object.keys(layout).map((field) => {
      const value = field === "size" ? `sizeof(${type})` : `offsetof(${type}, ${FIELDS[field] ?? field})`;
      return `printf("${name}.${field} %zu\\n", ${value});`;
    });
  });
  const directory = mkdtempSync(join(tmpdir(), "reg-structs-"));
  try {
    const source = join(directory, "structs.c");
    writeFileSync(source, `${HEADERS}\nint main(void) {\n${lines.join("\n")}\nreturn 0;\n}\n`);
    execFileSync("cc", ["-I", SECCOMP, "-o", join(directory, "structs"), source]);
    const output = execFileSync(join(directory, "structs"), { encoding: "utf8" });
    return new Map(
      output
        .trim()
        .split("\n")
        .map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const layouts = suite("struct layouts");
const found = askCompiler();
for (const [name, layout] of Object.entries(structs))
  layouts(`${name} is as the C compiler lays it out`, () => {
    for (const [field, expected] of Object.entries(layout)) assert.is(found.get(`${name}.${field}`), expected, field);
  });
layouts.run();
