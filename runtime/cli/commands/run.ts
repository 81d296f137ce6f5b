import { run } from "../../container/run.ts";
import { shellStatus } from "../../libc/process.ts";
import { defineCommand } from "../command.ts";
import { CREATE_OPTIONS, createOptions, preserved } from "./create-options.ts";

export const command = defineCommand({
  name: "run",
  describe: "create a container, start it, and wait for its end",
  positionals: [{ name: "id", describe: "name for the container, unique on this host" }],
  options: {
    ...CREATE_OPTIONS,
    detach: { type: "boolean", alias: "d", describe: "return as soon as the process has started" },
    keep: { type: "boolean", describe: "do not delete the container when its process has ended" },
  },
  optionsFirst: true,
  readsConfig: true,
  preserved,
  run: (values, [id = ""], context) => {
    const detach = values.detach ?? false;
    const status = run({ ...createOptions(values, id, context), detach, keep: values.keep ?? false });
    return status === undefined ? 0 : shellStatus(status);
  },
});
