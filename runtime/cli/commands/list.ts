import { listContainers } from "../../container/state.ts";
import { defineCommand } from "../command.ts";
import { print, printJson, table } from "../output.ts";

export const command = defineCommand({
  name: "list",
  describe: "list the containers below the root directory",
  positionals: [],
  options: {
    format: { type: "string", alias: "f", choices: ["table", "json"], describe: "output format" },
    quiet: { type: "boolean", alias: "q", describe: "ids only" },
  },
  run: (values, _positionals, { root, warn }) => {
    const containers = listContainers(root, warn);
    if (values.quiet === true) print(containers.map(({ id }) => `${id}\n`).join(""));
    else if (values.format === "json") printJson(containers);
    else
      print(
        table([
          ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
          ...containers.map(({ id, pid, status, bundle, created, owner }) => [
            id,
            String(pid),
            status,
            bundle,
            created,
            owner,
          ]),
        ]),
      );
  },
});
