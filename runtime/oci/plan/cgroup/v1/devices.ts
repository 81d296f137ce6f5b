/**
 * devices controller, cgroup v1: everything is denied first, then allowed one by one (or the other way around).
 * Source: kernel cgroup-v1/devices.rst.
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { DeviceRule } from "../../../config.ts";
import { formatRule, resolveDevices } from "../device-rules.ts";

const FIELD = "/linux/resources/devices";

/**
 * `optional`: the caller is not root, who may not write these files and has no devices to give. What a cgroup above
 * does not allow is left out of the standard rules, and is an error for a rule of config.json.
 */
export function planDevices(rules: readonly DeviceRule[] | undefined, optional: boolean): FileWrite[] {
  const { allow, exceptions } = resolveDevices(rules ?? []);
  const controller = "devices";
  const [first, rest] = allow ? ["devices.allow", "devices.deny"] : ["devices.deny", "devices.allow"];
  const skip = { otherwise: "skip" } as const;
  return [
    // A new cgroup has what the one above has: where that is not everything, there is no more to be had.
    { controller, file: first, value: "a", field: FIELD, ...(allow || optional ? skip : {}) },
    ...exceptions.map(({ type, major, minor, access, field, standard }) => ({
      controller,
      file: rest,
      value: formatRule(type, major, minor, access),
      field,
      ...(standard || optional ? skip : {}),
    })),
  ];
}
