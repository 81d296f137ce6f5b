import { kill } from "../../container/kill.ts";
import { parseSignal } from "../../linux/signal.ts";
import { defineCommand } from "../command.ts";
import { forEachMatching, REGEX_OPTION } from "./matching.ts";

export const command = defineCommand({
  name: "kill",
  describe: "send a signal to the container's process",
  positionals: [
    { name: "id", describe: "the container" },
    { name: "signal", describe: "name or number (default: TERM)", optional: true },
  ],
  options: {
    all: { type: "boolean", alias: "a", describe: "signal every process of the container" },
    ...REGEX_OPTION,
  },
  optionsFirst: true,
  run: (values, [id = "", signal = "TERM"], { root }) => {
    const number = parseSignal(signal);
    const all = values.all ?? false;
    return forEachMatching(values.regex, root, id, (each) => kill({ root, id: each, signal: number, all }));
  },
});
