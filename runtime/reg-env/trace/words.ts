/** A line of words, as a shell splits it, without anything else that a shell does. */
import { RegError } from "../../errors/errors.ts";

export function splitWords(line: string): string[] {
  const words: string[] = [];
  let rest = line.trim();
  while (rest !== "") {
    const [whole] = /^(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/.exec(rest) ?? [];
    if (whole === undefined)
      throw new RegError("EINVAL", `a quotation mark is open in ${JSON.stringify(line)}`, {
        hint: "close it, or escape it by \\",
      });
    words.push(
      whole.replaceAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g, (_, double, single, escaped) =>
        double !== undefined ? double.replaceAll(/\\(["\\$`])/g, "$1") : (single ?? escaped),
      ),
    );
    rest = rest.slice(whole.length).trimStart();
  }
  return words;
}
