import { start } from "../../container/start.ts";
import { defineCommand } from "../command.ts";
import { notifySocket } from "./create-options.ts";

export const command = defineCommand({
  name: "start",
  describe: "run the process of a created container",
  positionals: [{ name: "id", describe: "the container" }],
  options: {},
  run: (_values, [id = ""], { root, warn }) => {
    const socket = notifySocket();
    start({ root, id, warn, ...(socket === undefined ? {} : { notifySocket: socket }) });
  },
});
