import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needs, program } from "../../conformance/testing.ts";
import { DbusConnection, DbusError, decodeMessage, encodeMessage } from "./dbus.ts";
import { DbusReader, type DbusValue, DbusWriter, splitTypes } from "./dbus-marshalling.ts";

const dbus = suite("dbus");

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const encodings: readonly (readonly [signature: string, value: DbusValue, bytes: string])[] = [
  ["y", 255, "ff"],
  ["b", true, "01000000"],
  ["n", -2, "feff"],
  ["q", 513, "0102"],
  ["i", -1, "ffffffff"],
  ["u", 4294967295, "ffffffff"],
  ["x", -1, "ffffffffffffffff"],
  ["t", 2n ** 64n - 1n, "ffffffffffffffff"],
  ["d", 1.5, "000000000000f83f"],
  ["s", "foo", "03000000666f6f00"],
  ["o", "/a", "020000002f6100"],
  ["g", "as", "02617300"],
  ["ay", new Uint8Array([1, 2, 3]), "03000000010203"],
  ["as", ["a", "bc"], "0f0000000100000061000000020000006263" + "00"],
  ["au", [7], "0400000007000000"],
  ["at", [], "0000000000000000"], // padding to the element's alignment does not count as length
  ["v", { signature: "u", value: 5 }, "0175000005000000"],
  ["(yu)", [1, 2], "0100000002000000"],
  ["a(ss)", [["a", "b"]], "0e0000000000000001000000610000000100000062" + "00"],
  ["a{sv}", [["k", { signature: "b", value: true }]], "1000000000000000010000006b0001620000000001000000"],
];
/** Numbers that look random and are the same in every run (xorshift). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

dbus("reads what it wrote, wherever the writer's memory grows", () => {
  const values: readonly (readonly [signature: string, value: DbusValue])[] = [
    ["y", 7],
    ["q", 0x1234],
    ["u", 0x12345678],
    ["t", 0x1234567890abcdefn],
    ["g", "a{sv}"],
    ["s", "text"],
    ["ay", new Uint8Array([9, 8, 7])],
    ["v", { signature: "as", value: ["one", "two"] }],
  ];
  for (let length = 0; length < 2100; length++) {
    const random = generator(length + 1);
    const some = Array.from({ length: 6 }, () => values[random(values.length)] ?? ["y", 0]);
    const signature = `s${some.map(([type]) => type).join("")}`;
    const all = ["x".repeat(length), ...some.map(([, value]) => value)];
    const reader = new DbusReader(new DbusWriter().writeAll(signature, all).finish());
    const read = splitTypes(signature).map((type) => reader.read(type));
    assert.equal(JSON.stringify(read, plain), JSON.stringify(all, plain), `${signature} after ${length}`);
  }
});

/** JSON has no large integers, and a byte array may be read as a list. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Uint8Array ? [...value] : value;
}

for (const [signature, value, bytes] of encodings)
  dbus(`writes and reads ${signature}`, () => {
    const written = new DbusWriter().write(signature, value).finish();
    assert.is(hex(written), bytes);
    const read = new DbusReader(written).read(signature);
    assert.equal(
      read,
      value instanceof Uint8Array
        ? [...value]
        : typeof value === "number" && "xt".includes(signature)
          ? BigInt(value)
          : value,
    );
  });

dbus("splits signatures into complete types", () => {
  assert.equal(splitTypes("ssa(sv)a(sa(sv))"), ["s", "s", "a(sv)", "a(sa(sv))"]);
  assert.equal(splitTypes("a{sv}aay(i(uu))"), ["a{sv}", "aay", "(i(uu))"]);
  for (const bad of ["a", "(s", "z", "a{s"]) assert.throws(() => splitTypes(bad), /no type at/);
});

dbus("keeps what it wrote when its memory grows", () => {
  const long = "x".repeat(5000);
  const bytes = new DbusWriter().writeAll("usu", [1, long, 2]).finish();
  assert.equal(new DbusReader(bytes).readAll("usu"), [1, long, 2]);
});

dbus("encodes a method call as the specification lays it out", () => {
  const bytes = encodeMessage({
    type: 1,
    serial: 1,
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    member: "Hello",
    destination: "org.freedesktop.DBus",
  });
  assert.is(
    hex(bytes),
    "6c01000100000000010000006d000000" +
      "01016f00150000002f6f72672f667265656465736b746f702f44427573000000" +
      "02017300140000006f72672e667265656465736b746f702e4442757300000000" +
      "030173000500000048656c6c6f000000" +
      "06017300140000006f72672e667265656465736b746f702e4442757300000000",
  );
});

dbus("reads its own messages back", () => {
  const body: DbusValue[] = ["a.scope", [["PIDs", { signature: "au", value: [5] }]]];
  const sent = {
    type: 4,
    serial: 9,
    replySerial: 3,
    path: "/a",
    member: "M",
    interface: "i.f",
    signature: "sa(sv)",
    body,
  };
  const { type, serial, replySerial, path, member, signature, body: received } = decodeMessage(encodeMessage(sent));
  assert.equal(
    { type, serial, replySerial, path, member, signature },
    { type: 4, serial: 9, replySerial: 3, path: "/a", member: "M", signature: "sa(sv)" },
  );
  assert.equal(received, body);
});

dbus("refuses a message that is cut off", () =>
  assert.throws(() => new DbusReader(new Uint8Array([9, 0, 0, 0, 65])).read("s"), /ends too early/),
);

dbus("refuses strings with NUL bytes", () => assert.throws(() => new DbusWriter().write("s", "a\0b"), /NUL/));

/** A bus of its own, on a socket in a temp directory. */
async function withBus(use: (path: string) => void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "dbus-"));
  const path = join(directory, "bus");
  const config = join(directory, "bus.conf");
  writeFileSync(
    config,
    `<busconfig><listen>unix:path=${path}</listen><auth>EXTERNAL</auth><policy context="default">
    <allow send_destination="*"/><allow own="*"/><allow eavesdrop="true"/></policy></busconfig>`,
  );
  const bus = spawn("dbus-daemon", [`--config-file=${config}`, "--nofork", "--print-address"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    await once(bus.stdout, "data"); // it listens: the socket is there before that
    use(path);
  } finally {
    bus.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
}

const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

needs(dbus, program("dbus-daemon"))("talks to a bus: authentication, calls, errors, signals", () =>
  withBus((path) => {
    const connection = new DbusConnection(path, true);
    try {
      connection.subscribe("type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged'");
      const [names] = connection.call({ ...BUS, member: "ListNames" });
      assert.ok((names as string[]).some((name) => name.startsWith(":")));
      assert.equal(connection.call({ ...BUS, member: "RequestName", signature: "su", values: ["test.name", 0] }), [1]);
      const [, , owner] = connection.waitForSignal("NameOwnerChanged", ([name]) => name === "test.name");
      assert.ok((names as string[]).includes(String(owner)));
      assert.throws(
        () => connection.call({ ...BUS, member: "GetNameOwner", signature: "s", values: ["no.such.name"] }),
        (error: unknown) => error instanceof DbusError && error.code === "org.freedesktop.DBus.Error.NameHasNoOwner",
      );
    } finally {
      connection.close();
    }
  }),
);

dbus("says which socket is missing", () =>
  assert.throws(() => new DbusConnection("/no/such/socket", true), /\/no\/such\/socket: no such file or directory/),
);

dbus.run();
