/** libc, callable. The wrappers beside this file are what the layers above use. */
import { host } from "#host";
import { LIBC, type Libc } from "./table.ts";

export const libc: Libc = host.bind(LIBC);
