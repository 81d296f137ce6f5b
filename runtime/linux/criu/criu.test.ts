/** What is read of CRIU's words, and what its messages look like. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encode } from "../protobuf.ts";
import { lastLines, versionNumber } from "./criu.ts";
import { OPTIONS, REQUEST, REQUEST_MESSAGE, RESPONSE_MESSAGE } from "./rpc.ts";

const criu = suite("criu");

criu("of a log the last errors are told, without times and places in CRIU's sources", () => {
  const log = `(00.000090) Version: 4.2.1 (gitid 0)
(00.067044) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted
(00.067510) cg: rewriting c1 to /c1
(00.120311)      7: Error (criu/files-reg.c:2175): File fd/1 has bad size 0 (expect 7)
(00.120319) Error (criu/files.c:1221): Unable to open fd=1 id=0x3
(00.121002) Error (criu/cr-restore.c:2331): Restoring FAILED.
(00.121900) mnt: cleaned up
`;
  assert.is(lastLines(log), "File fd/1 has bad size 0 (expect 7); Unable to open fd=1 id=0x3; Restoring FAILED.");
  assert.is(lastLines("sh: line 1: no such thing\n\n"), "sh: line 1: no such thing");
  assert.is(lastLines(""), "");
});

criu("versions are compared as numbers", () => {
  assert.is(versionNumber({ major: 4, minor: 2, sublevel: 1 }), 40201);
  assert.ok(versionNumber({ major: 3, minor: 9, sublevel: 0 }) < versionNumber({ major: 3, minor: 15, sublevel: 0 }));
});

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

criu("what proto2 tells from its absence is written, also 0", () => {
  // Fields 1 (images_dir_fd) and 34 (manage_cgroups_mode) of criu_opts; 1 and 2 of inherit_fd in 27.
  assert.is(hex(encode(OPTIONS, { imagesDirFd: 0, manageCgroupsMode: 0 })), "0800900200");
  assert.is(hex(encode(OPTIONS, { inherited: [{ key: "k", fd: 0 }] })), "da01050a016b1000");
  assert.is(hex(encode(OPTIONS, { cgroupRoots: [{ controller: "", path: "/c" }] })), "ca01060a0012022f63");
  assert.is(hex(encode(REQUEST_MESSAGE, { type: REQUEST.notify, notifySuccess: false })), "08061800");
});

criu("answers are read: a restored process, a version, a stage", () => {
  // type RESTORE, success, restore { pid 300 }
  assert.is(decode(RESPONSE_MESSAGE, Buffer.from("08021001220308ac02", "hex")).restore?.pid, 300);
  // type VERSION, success, version { 4, 2, sublevel 1 }
  assert.equal(decode(RESPONSE_MESSAGE, Buffer.from("080a1001520608041002" + "2001", "hex")).version, {
    major: 4,
    minor: 2,
    sublevel: 1,
  });
  // type NOTIFY, success, notify { "post-restore", pid 7 }
  const notify = Buffer.from(`080610012a100a0c${Buffer.from("post-restore").toString("hex")}1007`, "hex");
  assert.equal(decode(RESPONSE_MESSAGE, notify).notify, { script: "post-restore", pid: 7 });
});

criu.run();
