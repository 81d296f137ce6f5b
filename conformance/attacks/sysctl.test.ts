/** Kernel parameters: a container's config reaches those of its own namespaces, and no other of the host, by whatever name. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { withFixture } from "../fixtures/fixture.ts";
import { mounting, needs, root } from "../testing.ts";

const sysctl = suite("attacks: sysctl");
const test = needs(sysctl, root, mounting);

/** The host's own value is what is written, so that a hole changes nothing. */
function hostValue(file: string): string {
  return readFileSync(`/proc/sys/${file}`, "utf8").trim();
}

const ESCAPES = ["net/../vm/stat_interval", "net.//.vm.stat_interval", "net/ipv4/../../vm/stat_interval"];
for (const name of ESCAPES)
  test(`refuses ${name}`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(["/bin/true"], (spec) => {
        spec.linux.sysctl = { [name]: hostValue("vm/stat_interval") };
      });
      fixture.fail("/linux/sysctl/", ["run", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

function join(type: string, path: string) {
  return (spec: Spec) => {
    spec.linux.namespaces = [...spec.linux.namespaces.filter((one) => one.type !== type), { type, path }];
  };
}

const FOREIGN: [type: string, file: string, parameter: string, path: string][] = [
  ["network", "net", "net.ipv4.ip_forward", "net/ipv4/ip_forward"],
  ["ipc", "ipc", "kernel.msgmax", "kernel/msgmax"],
  ["uts", "uts", "kernel.domainname", "kernel/domainname"],
];
for (const [type, file, parameter, path] of FOREIGN) {
  test(`refuses ${parameter} in the host's own ${type} namespace, joined by path`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(["/bin/true"], (spec) => {
        join(type, `/proc/self/ns/${file}`)(spec);
        if (type === "uts") delete spec.hostname;
        spec.linux.sysctl = { [parameter]: hostValue(path) };
      });
      fixture.fail("the host's own namespace", ["run", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

  test(`sets ${parameter} in the ${type} namespace of another container`, () =>
    withFixture((fixture) => {
      const first = fixture.launch(fixture.sleeper());
      const { pid } = fixture.state(first);
      const bundle = fixture.shell(`cat /proc/sys/${path}`, (spec) => {
        join(type, `/proc/${pid}/ns/${file}`)(spec);
        if (type === "uts") delete spec.hostname;
        spec.linux.sysctl = { [parameter]: "1" };
      });
      assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "1\n");
    }));
}

sysctl.run();
