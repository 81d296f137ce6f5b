import { host } from "#host";
import { libc } from "./libc/libc.ts";

const text = host.encode(`${host.kind} ${host.args.join(" ")} pid ${libc.getpid()}\n`);
libc.write(1, text, text.length);
libc._exit(0);
