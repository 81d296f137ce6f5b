/** Network devices of the host that move into a container. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, findProgram, mounting, need, needs, program, root } from "../testing.ts";

const devices = suite("network devices");
const test = needs(devices, root, mounting, cgroups, program("ip"), need("veth devices", canMakeVeth()));
let made = 0;

function canMakeVeth(): boolean {
  if (findProgram("ip") === undefined || process.getuid?.() !== 0) return false;
  let works = false;
  withFixture((fixture) => {
    works = fixture.host("ip", "link", "add", "regt0a", "type", "veth", "peer", "name", "regt0b").status === 0;
    if (works) fixture.host("ip", "link", "delete", "regt0a");
  });
  return works;
}

/** Runs the test with a pair of new devices, and with addresses on the first. */
function withDevices(test: (fixture: Fixture, device: string, peer: string) => void): Promise<void> {
  return withFixture((fixture) => {
    made += 1;
    const [device, peer] = [`rt${process.pid}-${made}a`, `rt${process.pid}-${made}b`] as const;
    const ip = (...args: string[]) => assert.is(fixture.host("ip", ...args).status, 0, args.join(" "));
    ip("link", "add", device, "type", "veth", "peer", "name", peer);
    try {
      ip("address", "add", "192.0.2.7/24", "broadcast", "192.0.2.255", "dev", device);
      ip("address", "add", "2001:db8::7/64", "nodad", "dev", device);
      ip("link", "set", device, "mtu", "1300", "up");
      ip("link", "set", peer, "up");
      test(fixture, device, peer);
    } finally {
      fixture.host("ip", "link", "delete", peer);
    }
  });
}

const SHOW = "busybox ip address show dev";

function output(fixture: Fixture, script: string, change: (spec: Spec) => void): string {
  const { status, stdout, stderr } = fixture.reg("run", "--bundle", fixture.shell(script, change).path, fixture.id());
  assert.is(status, 0, stderr);
  return stdout;
}

test("a device moves in with its addresses, and is up", () =>
  withDevices((fixture, device) => {
    const shown = output(fixture, `${SHOW} ${device}`, (spec) => {
      spec.linux.netDevices = { [device]: {} };
    });
    assert.match(shown, /<[^>]*\bUP\b/);
    assert.match(shown, /mtu 1300/);
    assert.match(shown, "inet 192.0.2.7/24 brd 192.0.2.255 scope global");
    assert.match(shown, "inet6 2001:db8::7/64 scope global");
    assert.is.not(fixture.host("ip", "link", "show", device).status, 0);
  }));

test("a device can get another name", () =>
  withDevices((fixture, device) => {
    const shown = output(fixture, `${SHOW} eth0; ls /sys/class/net`, (spec) => {
      spec.linux.netDevices = { [device]: { name: "eth0" } };
    });
    assert.match(shown, /eth0@.*\bUP\b/);
    assert.match(shown, "192.0.2.7/24");
    assert.match(shown, /^eth0\nlo\n/m);
  }));

test("a device moves into the network namespace of a user namespace", () =>
  withDevices((fixture, device) => {
    fixture.host("chmod", "755", fixture.folder);
    const shown = output(fixture, `${SHOW} eth0`, (spec) => {
      const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      spec.linux.namespaces.push({ type: "user" });
      Object.assign(spec.linux, { uidMappings: mappings, gidMappings: mappings });
      spec.linux.netDevices = { [device]: { name: "eth0" } };
    });
    assert.match(shown, "192.0.2.7/24");
  }));

test("a device moves into a network namespace that is joined", () =>
  withDevices((fixture, device) => {
    const id = fixture.launch(fixture.sleeper());
    const path = `/proc/${fixture.state(id).pid}/ns/net`;
    const shown = output(fixture, `${SHOW} eth0`, (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.map((each) => (each.type === "network" ? { ...each, path } : each));
      spec.linux.netDevices = { [device]: { name: "eth0" } };
    });
    assert.match(shown, "192.0.2.7/24");
  }));

test("a device that is not there is an error, and the others stay where they are", () =>
  withDevices((fixture, device) => {
    const bundle = fixture.shell("true", (spec) => {
      spec.linux.netDevices = { [device]: {}, nothere: {} };
    });
    const words = /network device nothere does not exist.*\[\/linux\/netDevices\/nothere\]/;
    fixture.fail(words, ["run", "--bundle", bundle.path, fixture.id()]);
    assert.match(fixture.host("ip", "address", "show", device).stdout, "192.0.2.7/24");
  }));

devices.run();
