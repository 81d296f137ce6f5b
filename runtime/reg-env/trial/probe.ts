/** What tells that a server works: an answer by HTTP, a connection, or a command that succeeds in its container. */
import { spawn } from "node:child_process";
import { RegError } from "../../errors/errors.ts";
import { callRuntime } from "../container.ts";
import { isMapped } from "../mapped.ts";
import { splitWords } from "../trace/words.ts";

export type Probe =
  | { readonly type: "http"; readonly port: number; readonly path: string }
  | { readonly type: "tcp"; readonly port: number }
  | { readonly type: "exec"; readonly command: readonly string[] };

const ASK_MS = 10_000;

/** Run by Node in the container's network namespace; the answer goes to standard output. */
const HTTP = `const [port, path] = process.argv.slice(1);
require("http").get({ host: "127.0.0.1", port, path, timeout: 5000 }, (answer) => {
  let body = "";
  answer.on("data", (chunk) => { if (body.length < 1e6) body += chunk; });
  answer.on("end", () => process.stdout.write(answer.statusCode + "\\n" + body));
}).on("error", () => process.exit(1)).on("timeout", () => process.exit(1));`;
const TCP = `const [port] = process.argv.slice(1);
require("net").connect({ host: "127.0.0.1", port, timeout: 5000 }, () => { process.stdout.write("connected"); process.exit(0); })
  .on("error", () => process.exit(1)).on("timeout", () => process.exit(1));`;

/** `http:8080/path`, `tcp:5432`, `exec:psql -c "select 1"`. */
export function parseProbe(text: string): Probe {
  const [, type, rest = ""] = /^(http|tcp|exec):(.+)$/s.exec(text) ?? [];
  const [, digits = "", path = ""] = /^(\d{1,5})(\/.*)?$/.exec(rest) ?? [];
  const port = Number(digits);
  const isPort = digits !== "" && port > 0 && port < 65_536;
  if (type === "http" && isPort) return { type, port, path: path === "" ? "/" : path };
  if (type === "tcp" && isPort && path === "") return { type, port };
  const command = type === "exec" ? splitWords(rest) : [];
  if (type === "exec" && command.length > 0) return { type, command };
  throw new RegError("EINVAL", `--probe ${JSON.stringify(text)} is not known`, {
    hint: 'as in --probe http:8080/path, --probe tcp:5432 or --probe "exec:redis-cli ping"',
  });
}

/** What it got; undefined for no answer yet. */
export async function ask(
  probe: Probe,
  pid: number | undefined,
  id: string,
  runtime: string | undefined,
): Promise<string | undefined> {
  if (pid === undefined) return undefined;
  if (probe.type === "exec") {
    const { status, output } = await callRuntime(runtime, ["exec", id, ...probe.command]);
    return status === 0 ? output : undefined;
  }
  const user = isMapped() ? ["--user", "--preserve-credentials"] : [];
  const script = probe.type === "http" ? [HTTP, String(probe.port), probe.path] : [TCP, String(probe.port)];
  return answerOf(["--target", String(pid), ...user, "--net", process.execPath, "-e", ...script]);
}

function answerOf(args: readonly string[]): Promise<string | undefined> {
  const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "ignore"], timeout: ASK_MS });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((done) => {
    child.once("error", () => done(undefined));
    child.once("close", (code) => done(code === 0 ? text : undefined));
  });
}
