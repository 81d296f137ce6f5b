import { host } from "#host";
import { EEXIST } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, withFd, writeAll } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { defaultSpec } from "../../oci/default-spec.ts";
import { defineCommand } from "../command.ts";

const CONFIG_FILE = "config.json";

export const command = defineCommand({
  name: "spec",
  describe: "write a config.json to start from",
  positionals: [],
  options: {
    bundle: { type: "string", alias: "b", placeholder: "DIR", describe: "the bundle to write it to (default: here)" },
    file: { type: "string", alias: "f", placeholder: "FILE", describe: "write FILE instead of config.json" },
    rootless: { type: "boolean", describe: "for a container that is run without root's privileges" },
  },
  run: ({ bundle, file, rootless = false }) => {
    const name = file ?? CONFIG_FILE;
    const path = bundle === undefined || name.startsWith("/") ? name : `${bundle}/${name}`;
    const spec = defaultSpec({ rootless, uid: libc.geteuid(), gid: libc.getgid() });
    write(path, name, `${JSON.stringify(spec, null, "\t")}\n`);
  },
});

/** Never replaces a file: it may be somebody's work. */
function write(path: string, name: string, text: string): void {
  let fd: number;
  try {
    fd = open(path, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o666);
  } catch (error) {
    if (isErrno(error, EEXIST)) throw new RegError("EEXIST", `File ${name} exists. Remove it first`);
    throw error;
  }
  withFd(fd, () => writeAll(fd, host.encode(text), path));
}
