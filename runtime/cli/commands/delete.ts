import { deleteContainer } from "../../container/delete.ts";
import { defineCommand } from "../command.ts";
import { forEachMatching, REGEX_OPTION } from "./matching.ts";

export const command = defineCommand({
  name: "delete",
  describe: "remove a stopped container",
  positionals: [{ name: "id", describe: "the container" }],
  options: {
    force: { type: "boolean", alias: "f", describe: "kill it first if it runs; content when there is none" },
    ...REGEX_OPTION,
  },
  run: (values, [id = ""], { root, warn }) =>
    forEachMatching(values.regex, root, id, (each) =>
      deleteContainer({ root, id: each, force: values.force ?? false, warn }),
    ),
});
