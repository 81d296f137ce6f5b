import { features } from "../../oci/features.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { COMMIT, LIBSECCOMP, SPEC_VERSION, VERSION } from "../version.ts";

export const command = defineCommand({
  name: "features",
  describe: "show as JSON what this runtime supports",
  positionals: [],
  options: {},
  run: () => {
    const about = {
      version: VERSION,
      specVersion: SPEC_VERSION,
      ...(COMMIT === undefined ? {} : { commit: COMMIT }),
      ...(LIBSECCOMP === undefined ? {} : { libseccomp: LIBSECCOMP }),
    };
    print(`${JSON.stringify(features(about), null, 2)}\n`);
  },
});
