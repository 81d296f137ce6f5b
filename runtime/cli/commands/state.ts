import { containerState } from "../../container/state.ts";
import { defineCommand } from "../command.ts";
import { printJson } from "../output.ts";

export const command = defineCommand({
  name: "state",
  describe: "show the state of a container as JSON",
  positionals: [{ name: "id", describe: "the container" }],
  options: {},
  run: (_values, [id = ""], { root }) => printJson(containerState(root, id), 2),
});
