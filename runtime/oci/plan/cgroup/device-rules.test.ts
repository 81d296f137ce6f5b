import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../../../errors/errors.ts";
import type { DeviceRule } from "../../config.ts";
import { formatRule, resolveDevices } from "./device-rules.ts";

const devices = suite("device rules");

const STANDARD = [
  "c *:* m",
  "b *:* m",
  "c 1:3 rwm",
  "c 1:8 rwm",
  "c 1:7 rwm",
  "c 5:0 rwm",
  "c 1:5 rwm",
  "c 1:9 rwm",
  "c 5:1 rwm",
  "c 136:* rwm",
  "c 5:2 rwm",
  "c 10:200 rwm",
];

/** The result as text: the default first. */
function resolve(rules: readonly DeviceRule[]): string[] {
  const { allow, exceptions } = resolveDevices(rules);
  return [
    allow ? "allow" : "deny",
    ...exceptions.map(({ type, major, minor, access }) => formatRule(type, major, minor, access)),
  ];
}

const ALL: DeviceRule = { allow: true, type: "a" };
const NONE: DeviceRule = { allow: false, access: "rwm" };
const fuse: DeviceRule = { allow: true, type: "c", major: 10, minor: 229, access: "rwm" };
const cases: readonly (readonly [name: string, rules: readonly DeviceRule[], result: readonly string[]])[] = [
  ["a container without rules has the standard devices", [], ["deny", ...STANDARD]],
  ["a rule that denies all adds nothing to that", [NONE], ["deny", ...STANDARD]],
  ["an allowed device comes before the standard ones", [NONE, fuse], ["deny", "c 10:229 rwm", ...STANDARD]],
  ["a rule for everything drops the rules before it", [fuse, ALL], ["allow"]],
  [
    "access rights of one device add up",
    [NONE, { ...fuse, access: "r" }, { ...fuse, access: "m" }],
    ["deny", "c 10:229 rm", ...STANDARD],
  ],
  [
    "access rights can be taken back",
    [NONE, fuse, { ...fuse, allow: false, access: "w" }],
    ["deny", "c 10:229 rm", ...STANDARD],
  ],
  ["a device can be taken back", [NONE, fuse, { ...fuse, allow: false }], ["deny", ...STANDARD]],
  [
    "a missing access means all of them",
    [NONE, { allow: true, type: "b", major: 8, minor: 0 }],
    ["deny", "b 8:0 rwm", ...STANDARD],
  ],
  [
    "-1 stands for every number",
    [NONE, { allow: true, type: "b", major: 8, minor: -1, access: "r" }],
    ["deny", "b 8:* r", ...STANDARD],
  ],
  [
    "a ban stays when everything else is allowed",
    [ALL, { allow: false, type: "b", major: 8, minor: 0, access: "w" }],
    ["allow", "b 8:0 w"],
  ],
  [
    "standard devices can not be banned",
    [ALL, { allow: false, type: "c", major: 1, minor: 3, access: "rwm" }],
    ["allow"],
  ],
  [
    "a standard device is listed once",
    [NONE, { allow: true, type: "c", major: 1, minor: 3, access: "r" }],
    ["deny", "c 1:3 rwm", ...STANDARD.filter((rule) => rule !== "c 1:3 rwm")],
  ],
];
for (const [name, rules, result] of cases) devices(name, () => assert.equal(resolve(rules), result));

const faults: readonly (readonly [name: string, rules: readonly DeviceRule[], pointer: string])[] = [
  ["a hole in a wider rule", [NONE, { ...fuse, minor: -1 }, { ...fuse, allow: false }], "/linux/resources/devices/2"],
  ["an unknown type", [{ ...fuse, type: "x" }], "/linux/resources/devices/0"],
  ["an unknown access right", [NONE, { ...fuse, access: "rwx" }], "/linux/resources/devices/1"],
];
for (const [name, rules, pointer] of faults)
  devices(`refuses ${name}`, () =>
    assert.throws(
      () => resolveDevices(rules),
      (error: unknown) => error instanceof ConfigError && error.faults[0]?.pointer === pointer,
    ),
  );

devices.run();
