/** Names that are checked and then used: what they could have been taken for otherwise. */
import { suite } from "uvu";
import { withFixture } from "../fixtures/fixture.ts";
import { mounting, needs, root } from "../testing.ts";

const names = suite("attacks: names");
const test = needs(names, root, mounting);

const MAPPINGS = [{ containerID: 0, hostID: 100000, size: 65536 }];

test("binds nothing but the device in a user namespace, whatever lies at its path on the host", () =>
  withFixture((fixture) => {
    const secret = fixture.write("secret", "of the host\n");
    const bundle = fixture.shell(`cat ${secret}`, (spec) => {
      spec.root.readonly = false;
      spec.linux.namespaces.push({ type: "user" });
      spec.linux.uidMappings = MAPPINGS;
      spec.linux.gidMappings = MAPPINGS;
      spec.linux.devices = [{ path: secret, type: "c", major: 1, minor: 3 }];
    });
    fixture.fail("the host has something else there", ["run", "--bundle", bundle.path, fixture.id()]);
    fixture.assertNothingLeft();
  }));

names.run();
