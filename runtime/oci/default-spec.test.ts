import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultSpec } from "./default-spec.ts";
import { closeNames } from "./suggest.ts";

const spec = suite("default-spec");

spec("runs a shell with three capabilities and 1024 files", () => {
  const { process } = defaultSpec({ rootless: false });
  assert.equal(process?.args, ["sh"]);
  assert.equal(process?.capabilities?.bounding, ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
  assert.equal(process?.rlimits, [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }]);
});

spec("has the usual mounts, in order", () => {
  const targets = defaultSpec({ rootless: false }).mounts?.map(({ destination }) => destination);
  assert.equal(targets, ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"]);
});

spec("has six namespaces", () => {
  const types = defaultSpec({ rootless: false }).linux?.namespaces?.map(({ type }) => type);
  assert.equal(types, ["pid", "network", "ipc", "uts", "mount", "cgroup"]);
});

spec("without root maps one user, keeps the host's network, and asks for no limits", () => {
  const { linux } = defaultSpec({ rootless: true, uid: 1000, gid: 100 });
  assert.equal(linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.equal(linux?.gidMappings, [{ containerID: 0, hostID: 100, size: 1 }]);
  assert.equal(
    linux?.namespaces?.map(({ type }) => type),
    ["pid", "ipc", "uts", "mount", "cgroup", "user"],
  );
  assert.is(linux?.resources, undefined);
});

spec("without root binds /sys and leaves out the group of terminals", () => {
  const { mounts = [] } = defaultSpec({ rootless: true });
  assert.equal(
    mounts.find(({ destination }) => destination === "/sys"),
    { destination: "/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] },
  );
  assert.not(mounts.some(({ options }) => options?.includes("gid=5")));
});

spec("spells every name right", () => {
  assert.equal(closeNames(defaultSpec({ rootless: true })), []);
});
spec.run();
