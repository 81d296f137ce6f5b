import { resume } from "../../container/pause.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "resume",
  describe: "let the processes of a paused container go on",
  positionals: [{ name: "id", describe: "the container" }],
  options: {},
  run: (_values, [id = ""], { root }) => resume(root, id),
});
