import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandsOf, parseScript, type Script } from "./script.ts";

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

const texts: readonly (readonly [text: string, commands: readonly string[]])[] = [
  ["sed s/a/b/ file | sort >out && rm -f file", ["rm", "sed", "sort"]],
  ["if grep -q x file; then awk 1; else cat; fi", ["awk", "cat", "grep"]],
  ["A=$(basename $0) B=1 tar xf $1", ["basename", "tar"]],
  ["# comment: sed\nfor f in a b; do cp $f /; done", ["cp"]],
  ["# don't\nV=\"$(basename $0)\" # can't\nls", ["basename", "ls"]],
  ["helper() {\n  echo hello\n}\nhelper", []],
  ["cat <<END\nsed is not called\nEND\nls", ["cat", "ls"]],
  ["! mountpoint /x || exec /usr/sbin/nginx -g 'daemon off;'", ["/usr/sbin/nginx", "mountpoint"]],
  ["case $1 in\nstart) ;;\nesac\ncd /; export A=1", []],
];

for (const [text, commands] of texts)
  script(`commands of ${JSON.stringify(text)}`, () => assert.equal(commandsOf(text), commands));

script.run();
