import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planDevices } from "./devices.ts";

const devices = suite("cgroup v1 devices");

devices("denies everything, then allows one by one", () => {
  const [first, second, third] = planDevices([{ allow: false }, { allow: true, type: "b", major: 8, minor: 0 }], false);
  assert.equal(first, { controller: "devices", file: "devices.deny", value: "a", field: "/linux/resources/devices" });
  assert.equal(second, {
    controller: "devices",
    file: "devices.allow",
    value: "b 8:0 rwm",
    field: "/linux/resources/devices/1",
  });
  assert.is(third?.value, "c *:* m");
});

devices("does not insist on standard devices that the cgroup above lacks", () => {
  const writes = planDevices([{ allow: true, type: "b", major: 8, minor: 0 }], false);
  assert.equal(
    writes.filter(({ otherwise }) => otherwise !== "skip").map(({ value }) => value),
    ["a", "b 8:0 rwm"],
  );
});

devices("allows everything with one write", () =>
  assert.equal(
    planDevices([{ allow: true, access: "rwm" }], false).map(
      ({ file, value, otherwise }) => `${file} ${value} ${otherwise}`,
    ),
    ["devices.allow a skip"],
  ),
);

devices("insists on nothing for a caller who is not root", () =>
  assert.ok(planDevices([], true).every(({ otherwise }) => otherwise === "skip")),
);

devices.run();
