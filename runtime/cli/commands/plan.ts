import { loadConfig, planFor } from "../../container/plan.ts";
import { defineCommand } from "../command.ts";
import { print, printJson } from "../output.ts";
import { describePlan, formatPlan } from "../plan-text.ts";
import { CREATE_OPTIONS, createOptions } from "./create-options.ts";

const { bundle, config } = CREATE_OPTIONS;

export const command = defineCommand({
  name: "plan",
  describe: "show what create and start would do, and which field of config.json asks for it; changes nothing",
  positionals: [{ name: "id", describe: "the container's id (default: container)", optional: true }],
  options: {
    bundle,
    config,
    "no-pivot": CREATE_OPTIONS["no-pivot"],
    format: { type: "string", choices: ["text", "json"], describe: "output format (default: text)" },
  },
  readsConfig: true,
  run: (values, [id = "container"], context) => {
    const options = createOptions(values, id, context);
    const loaded = loadConfig(options.bundle, options.configFile);
    const plan = planFor(loaded.config, options);
    for (const warning of plan.warnings) context.warn(warning);
    const stages = describePlan(plan);
    if (values.format === "json") printJson({ stages, plan }, 2);
    else print(formatPlan(plan, stages));
  },
});
