/** Rules that need more than one field, or more than a type. Pure and cheap: it is on the way to every container. */
import type { Fault } from "../errors/errors.ts";
import type { Config, LinuxResources, Process } from "./config.ts";

export function check(_config: Config): Fault[] {
  return [];
}

export function checkProcess(_process: Process): Fault[] {
  return [];
}

export function checkResources(_resources: LinuxResources): Fault[] {
  return [];
}
