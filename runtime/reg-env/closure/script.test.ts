import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseScript, type Script } from "./script.ts";

const script = suite("scripts");

const heads: readonly (readonly [head: string, expected: Script | undefined])[] = [
  ["#!/bin/sh\n", { interpreter: "/bin/sh" }],
  ["#! /bin/sh -eu\necho", { interpreter: "/bin/sh" }],
  ["#!/bin/sh", { interpreter: "/bin/sh" }],
  ["#!/usr/bin/env python3\n", { interpreter: "/usr/bin/env", program: "python3" }],
  ["#!/usr/bin/env -S python3 -u\n", { interpreter: "/usr/bin/env", program: "python3" }],
  ["#!/usr/bin/env -S -i A=b --unset=C perl -w\n", { interpreter: "/usr/bin/env", program: "perl" }],
  ["#!/usr/bin/env -vS node --flag\n", { interpreter: "/usr/bin/env", program: "node" }],
  ['#!/usr/bin/env -S "my program" -x\n', { interpreter: "/usr/bin/env", program: "my program" }],
  // Without -S env looks for a program of that whole name, as the kernel does not split.
  ["#!/usr/bin/env python3 -u\n", { interpreter: "/usr/bin/env", program: "python3 -u" }],
  ["#!/usr/bin/env\n", { interpreter: "/usr/bin/env" }],
  ["#!/bin/sh\r\n", { interpreter: "/bin/sh\r" }],
  ["#!\n", undefined],
  ["#\n", undefined],
  ["text", undefined],
];

for (const [head, expected] of heads)
  script(`begins with ${JSON.stringify(head)}`, () => assert.equal(parseScript(Buffer.from(head)), expected));

script.run();
