#!/usr/bin/env node
/**
 * What npm installs as `reg`: becomes the native binary. Engines should be given that one itself, bin/reg of the package reg-linux-CPU:
 * Node takes forty milliseconds to start.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { nativeBinary } from "./host/native-binary.ts";

const binary = nativeBinary();
const args = process.argv.slice(2);
// Node 22.15 has execve, which keeps descriptors, terminal and signals as they are.
const { execve } = process as { readonly execve?: (file: string, args: readonly string[]) => never };
if (execve !== undefined && existsSync(binary)) execve.call(process, binary, ["reg", ...args]);
const { status, signal, error } = spawnSync(binary, args, { stdio: "inherit" });
if (error !== undefined) {
  process.stderr.write(`reg: ${binary}: ${error.message}; is the package reg-linux-${process.arch} installed?\n`);
  process.exitCode = 1;
} else if (signal !== null) process.kill(process.pid, signal);
else process.exitCode = status ?? 1;
