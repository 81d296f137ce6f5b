import { create } from "../../container/create.ts";
import { defineCommand } from "../command.ts";
import { CREATE_OPTIONS, createOptions, preserved } from "./create-options.ts";

export const command = defineCommand({
  name: "create",
  describe: "create a container",
  positionals: [{ name: "id", describe: "name for the container, unique on this host" }],
  options: CREATE_OPTIONS,
  readsConfig: true,
  preserved,
  run: (values, [id = ""], context) => {
    create(createOptions(values, id, context));
  },
});
