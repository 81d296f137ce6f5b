/** The command line of a containerd shim: Go's flags, and one word. Source: containerd runtime/v2/README.md. */
import { UsageError } from "../errors/errors.ts";

export interface Arguments {
  readonly namespace: string;
  readonly id: string;
  /** containerd's gRPC socket. */
  readonly address: string;
  readonly bundle: string;
  readonly info: boolean;
  readonly version: boolean;
  /** "start", "delete", or "" to serve. */
  readonly command: string;
}

const TEXTS = ["namespace", "id", "address", "bundle", "publish-binary", "socket", "debug-socket"];
const SWITCHES = ["debug", "info", "v", "version", "h", "help"];

/** Throws UsageError. */
export function parseArguments(args: readonly string[]): Arguments {
  const texts: Record<string, string> = {};
  const switches = new Set<string>();
  let at = 0;
  for (; at < args.length; at++) {
    const argument = args[at] ?? "";
    if (!argument.startsWith("-") || argument === "-") break;
    if (argument === "--") {
      at++;
      break;
    }
    const text = argument.slice(argument.startsWith("--") ? 2 : 1);
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    if (SWITCHES.includes(name)) {
      if (equals < 0 || text.slice(equals + 1) === "true") switches.add(name);
      continue;
    }
    if (!TEXTS.includes(name)) throw new UsageError(`flag provided but not defined: -${name}`);
    if (equals < 0 && at + 1 >= args.length) throw new UsageError(`flag needs an argument: -${name}`);
    texts[name] = equals < 0 ? (args[++at] ?? "") : text.slice(equals + 1);
  }
  const parsed = {
    namespace: texts.namespace ?? "",
    id: texts.id ?? "",
    address: texts.address ?? "",
    bundle: texts.bundle ?? "",
    info: switches.has("info"),
    version: switches.has("v") || switches.has("version"),
    command: args[at] ?? "",
  };
  if (parsed.info || parsed.version) return parsed;
  if (parsed.namespace === "") throw new UsageError("shim namespace cannot be empty");
  checkIdentifier("namespace", parsed.namespace);
  if (parsed.id !== "" || parsed.command !== "") checkIdentifier("id", parsed.id);
  return parsed;
}

/** They become parts of paths. Source: containerd pkg/identifiers. */
export function checkIdentifier(what: string, text: string): void {
  if (text.length > 76 || !/^[A-Za-z0-9]+([-._][A-Za-z0-9]+)*$/.test(text))
    throw new UsageError(`${what} ${JSON.stringify(text.slice(0, 80))}: not an identifier of containerd`);
}
