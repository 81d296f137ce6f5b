/**
 * The commands, in the order in which `reg --help` shows them. Each is a module of its own, loaded when it is asked for:
 * bytecode that is not needed costs nothing. Only the entry module may import this one, because on the native host only
 * the entry module can load others.
 */
import type { Registry } from "./command.ts";

export const COMMANDS: Registry = {
  create: () => import("./commands/create.ts"),
  start: () => import("./commands/start.ts"),
  run: () => import("./commands/run.ts"),
  exec: () => import("./commands/exec.ts"),
  ps: () => import("./commands/ps.ts"),
  pause: () => import("./commands/pause.ts"),
  resume: () => import("./commands/resume.ts"),
  update: () => import("./commands/update.ts"),
  checkpoint: () => import("./commands/checkpoint.ts"),
  restore: () => import("./commands/restore.ts"),
  events: () => import("./commands/events.ts"),
  state: () => import("./commands/state.ts"),
  kill: () => import("./commands/kill.ts"),
  delete: () => import("./commands/delete.ts"),
  list: () => import("./commands/list.ts"),
  spec: () => import("./commands/spec.ts"),
  plan: () => import("./commands/plan.ts"),
  features: () => import("./commands/features.ts"),
  completion: () => import("./commands/completion.ts"),
  help: () => import("./commands/help.ts"),
  init: () => import("./commands/init.ts"),
};

/** Those that engines call for every container: the native binary's snapshot holds them, the others are loaded when asked for. */
export const PRELOADED = ["create", "start", "run", "exec", "state", "kill", "delete"].flatMap(
  (name) => COMMANDS[name] ?? [],
);
