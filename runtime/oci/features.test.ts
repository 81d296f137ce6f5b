import { suite } from "uvu";
import * as assert from "uvu/assert";
import { features as describe } from "./features.ts";

const features = suite("features");
const found = describe({ version: "1.2.3", commit: "abc", specVersion: "1.3.0" });

features("lists are sorted, or in the order of a container's life", () => {
  assert.equal(found.mountOptions, [...(found.mountOptions ?? [])].sort());
  assert.equal(found.linux?.namespaces, [...(found.linux?.namespaces ?? [])].sort());
  assert.equal(found.hooks, [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
  ]);
});

features("has what containerd and Podman look at", () => {
  assert.is(found.ociVersionMin, "1.0.0");
  assert.type(found.linux?.mountExtensions?.idmap?.enabled, "boolean");
  assert.type(found.linux?.seccomp?.enabled, "boolean");
  assert.type(found.linux?.cgroup?.systemd, "boolean");
  assert.is(found.annotations?.["org.opencontainers.runc.checkpoint.enabled"], "true");
  assert.is(found.annotations?.["org.reg.commit"], "abc");
});

features("leaves out a commit that is not known", () => {
  assert.not("org.reg.commit" in (describe({ version: "1", specVersion: "1.3.0" }).annotations ?? {}));
});

features.run();
