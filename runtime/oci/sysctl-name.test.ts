import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sysctlFile } from "./sysctl-name.ts";

const names = suite("sysctl names");

const FILES: [name: string, file: string | undefined][] = [
  ["net.ipv4.ip_forward", "net/ipv4/ip_forward"],
  ["net/ipv4/ip_forward", "net/ipv4/ip_forward"],
  ["net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"],
  ["net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"],
  ["net/../vm/stat_interval", undefined],
  ["net.//.vm.stat_interval", undefined],
  ["net/./ipv4", undefined],
  ["net//ipv4", undefined],
  ["net..ipv4", undefined],
  ["/net/ipv4", undefined],
  [".net", undefined],
  ["net/", undefined],
  ["net.ipv4\0.x", undefined],
  ["", undefined],
];
for (const [name, file] of FILES)
  names(`${JSON.stringify(name)} is ${file ?? "no parameter"}`, () => assert.is(sysctlFile(name), file));

names.run();
