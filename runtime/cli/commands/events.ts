import { type Event, stats, watch } from "../../container/events.ts";
import { defineCommand } from "../command.ts";
import { parseDurationMs } from "../duration.ts";
import { printJson } from "../output.ts";

const show = (event: Event) => printJson(event);

export const command = defineCommand({
  name: "events",
  describe: "show what a container uses, and when memory runs out",
  positionals: [{ name: "id", describe: "the container" }],
  options: {
    interval: { type: "string", placeholder: "DURATION", describe: "time between statistics (default: 5s)" },
    stats: { type: "boolean", describe: "show the statistics once" },
  },
  run: (values, [id = ""], { root }) => {
    const intervalMs = parseDurationMs("--interval", values.interval ?? "5s");
    if (values.stats === true) show(stats(root, id));
    else watch(root, id, intervalMs, show);
  },
});
