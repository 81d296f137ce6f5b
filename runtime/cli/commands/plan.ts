import { loadConfig, planFor } from "../../container/plan.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
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
    print(values.format === "json" ? `${JSON.stringify({ stages, plan }, null, 2)}\n` : formatPlan(plan, stages));
  },
});
