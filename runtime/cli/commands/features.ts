import { features } from "../../oci/features.ts";
import { defineCommand } from "../command.ts";
import { printJson } from "../output.ts";
import { about } from "../version.ts";

export const command = defineCommand({
  name: "features",
  describe: "show as JSON what this runtime supports",
  positionals: [],
  options: {},
  run: () => {
    printJson(features(about()), 2);
  },
});
