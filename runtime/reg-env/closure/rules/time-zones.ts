/** Time zones that a script, an argument or a variable names, such as Europe/Berlin. Source: tzset(3). */
import type { Collector } from "../collector.ts";

const FOLDER = "/usr/share/zoneinfo";
const NAME = /(?<![\w/.-])[A-Z][A-Za-z_]+(?:\/[A-Z][\w+-]+){1,2}(?![\w/])/g;

/** `from` is the file that has the text, when it is one. */
export function takeTimeZones(text: string, who: string, from: string | undefined, collector: Collector): void {
  for (const name of new Set([...text.matchAll(NAME)].map(([each]) => each)))
    if (collector.root.isFile(`${FOLDER}/${name}`))
      collector.add(`${FOLDER}/${name}`, {
        rule: "time-zones",
        ...(from === undefined ? {} : { from }),
        text: `${who} names it`,
        as: "data",
      });
}
