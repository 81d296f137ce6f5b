/** A note of --debug: properties of config.json that nobody reads, with a name close to that of one that is read. */
import { loadConfig } from "../container/plan.ts";
import { closeNames } from "../oci/suggest.ts";

/** `values` are a command's options, with --bundle and --config. Throws as the command would. */
export function noteUnknownProperties(
  values: Readonly<Record<string, unknown>>,
  debug: (message: string) => void,
): void {
  const file = String(values.config ?? "config.json");
  const { text } = loadConfig(String(values.bundle ?? "."), file);
  for (const { pointer, name, suggestion } of closeNames(JSON.parse(text)))
    debug(`${file}: nothing reads ${pointer}/${name}; did you mean "${suggestion}"?`);
}
