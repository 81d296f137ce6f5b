import { pause } from "../../container/pause.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "pause",
  describe: "stop all processes of a container where they are",
  positionals: [{ name: "id", describe: "the container" }],
  options: {},
  run: (_values, [id = ""], { root }) => pause(root, id),
});
