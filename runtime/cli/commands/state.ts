import { containerState } from "../../container/state.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";

export const command = defineCommand({
  name: "state",
  describe: "show the state of a container as JSON",
  positionals: [{ name: "id", describe: "the container" }],
  options: {},
  run: (_values, [id = ""], { root }) => print(`${JSON.stringify(containerState(root, id), null, 2)}\n`),
});
