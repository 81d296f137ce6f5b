/** The programs are run by a small interpreter, and compared with the rules that they were made from. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DeviceRule } from "../../../config.ts";
import { type DeviceAccess, resolveDevices } from "../device-rules.ts";
import { compileDevices, planDevices } from "./devices.ts";

const devices = suite("cgroup v2 devices");

interface Request {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** Runs the few instructions that programs are made of. */
function run(program: Uint8Array, { type, major, minor, access }: Request): number {
  const view = new DataView(program.buffer);
  const bits = (access.includes("m") ? 1 : 0) | (access.includes("r") ? 2 : 0) | (access.includes("w") ? 4 : 0);
  const context = [(bits << 16) | (type === "b" ? 1 : 2), major, minor];
  const registers: number[] = [];
  for (let at = 0; at < program.length; at += 8) {
    const opcode = view.getUint8(at);
    const to = view.getUint8(at + 1) & 15;
    const from = view.getUint8(at + 1) >> 4;
    const offset = view.getInt16(at + 2, true);
    const constant = view.getInt32(at + 4, true);
    const value = registers[to] ?? Number.NaN;
    if (opcode === 0x61) registers[to] = context[offset / 4] ?? Number.NaN;
    else if (opcode === 0x54) registers[to] = value & constant;
    else if (opcode === 0x74) registers[to] = value >>> constant;
    else if (opcode === 0xbc) registers[to] = registers[from] ?? Number.NaN;
    else if (opcode === 0xb7) registers[to] = constant;
    else if (opcode === 0x15) at += value === constant ? offset * 8 : 0;
    else if (opcode === 0x55) at += value !== constant ? offset * 8 : 0;
    else if (opcode === 0x5d) at += value !== registers[from] ? offset * 8 : 0;
    else if (opcode === 0x95) return registers[0] ?? Number.NaN;
    else assert.unreachable(`opcode ${opcode.toString(16)}`);
  }
  return assert.unreachable("ran off the end") ?? Number.NaN;
}

/** What the rules say, spelled out. */
function decide({ allow, exceptions }: DeviceAccess, request: Request): number {
  const named = exceptions.some(
    ({ type, major, minor, access }) =>
      type === request.type &&
      (major === -1 || major === request.major) &&
      (minor === -1 || minor === request.minor) &&
      (allow
        ? [...request.access].some((letter) => access.includes(letter))
        : [...request.access].every((letter) => access.includes(letter))),
  );
  return Number(named !== allow);
}

const REQUESTS: Request[] = ["b", "c"].flatMap((type) =>
  [0, 1, 5, 8, 10, 136, 254].flatMap((major) =>
    [0, 1, 2, 3, 5, 200, 1048575].flatMap((minor) =>
      ["r", "w", "m", "rw", "rm", "wm", "rwm"].map((access) => ({ type: type as "b" | "c", major, minor, access })),
    ),
  ),
);

const DENY_ALL: DeviceRule = { allow: false, access: "rwm" };
const lists: readonly (readonly [name: string, rules: readonly DeviceRule[]])[] = [
  ["no rules", []],
  ["everything denied", [DENY_ALL]],
  ["everything allowed, one kind denied", [{ allow: true }, { allow: false, type: "b", access: "w" }]],
  ["a device allowed", [DENY_ALL, { allow: true, type: "c", major: 10, minor: 200, access: "rwm" }]],
  ["a major number allowed to be read", [DENY_ALL, { allow: true, type: "b", major: 8, access: "r" }]],
  ["a minor number of any major", [DENY_ALL, { allow: true, type: "c", minor: 200, access: "rw" }]],
  ["the largest minor number", [DENY_ALL, { allow: true, type: "c", major: 254, minor: 1048575 }]],
];
for (const [name, rules] of lists)
  devices(`decides as the rules do: ${name}`, () => {
    const access = resolveDevices(rules);
    const program = compileDevices(access);
    for (const request of REQUESTS) assert.is(run(program, request), decide(access, request), JSON.stringify(request));
  });

devices("writes the instructions that the kernel documents", () => {
  const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const program = compileDevices({
    allow: false,
    exceptions: [{ type: "c", major: 1, minor: 3, access: "rw", field: "" }],
  });
  assert.is(
    hex(program),
    [
      "6112000000000000", // r2 = ctx->access_type
      "54020000ffff0000", // w2 &= 0xffff
      "6113000000000000", // r3 = ctx->access_type
      "7403000010000000", // w3 >>= 16
      "6114040000000000", // r4 = ctx->major
      "6115080000000000", // r5 = ctx->minor
      "5502070002000000", // if r2 != 2 goto +7
      "bc31000000000000", // w1 = w3
      "5401000006000000", // w1 &= 6
      "5d31040000000000", // if r1 != r3 goto +4
      "5504030001000000", // if r4 != 1 goto +3
      "5505020003000000", // if r5 != 3 goto +2
      "b700000001000000", // r0 = 1
      "9500000000000000", // exit
      "b700000000000000", // r0 = 0
      "9500000000000000", // exit
    ].join(""),
  );
});

devices("makes no program for a container that may do everything", () =>
  assert.is(planDevices([{ allow: true, access: "rwm" }]), undefined),
);

devices.run();
