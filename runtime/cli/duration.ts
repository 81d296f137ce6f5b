/** Durations as Go's programs take them: "5s", "1m30s", "1.5h", "100ms". */
import { UsageError } from "../errors/errors.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds. Throws UsageError for what is no duration, or not above zero; `option` is named in it. */
export function parseDurationMs(option: string, text: string): number {
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS_MS[unit ?? ""] ?? 0), 0);
  if (parts.map(([part]) => part).join("") !== text || text === "")
    throw new UsageError(`${option} ${text}: expected a duration such as 5s or 1m30s`);
  if (ms <= 0) throw new UsageError(`${option} ${text}: expected more than 0`);
  return ms;
}
