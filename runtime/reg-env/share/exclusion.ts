/** What --exclude and --domain take. */
import { RegError } from "../../errors/errors.ts";
import type { Exclusion } from "./stores/store.ts";

/** label:NAME, label:NAME=VALUE, image:NAME or namespace:NAME. Throws RegError EINVAL for anything else. */
export function parseExclusion(text: string, option = "--exclude"): Exclusion {
  const [, kind, rest = ""] = /^(label|image|namespace):(.+)$/s.exec(text) ?? [];
  const equals = rest.indexOf("=");
  if (kind === "label")
    return equals === -1
      ? { kind, name: rest, value: undefined }
      : { kind, name: rest.slice(0, equals), value: rest.slice(equals + 1) };
  if (kind === "image" || kind === "namespace") return { kind, name: rest };
  throw new RegError("EINVAL", `${option} ${JSON.stringify(text)} is not known`, {
    hint: "use label:NAME, label:NAME=VALUE, image:NAME or namespace:NAME",
  });
}
