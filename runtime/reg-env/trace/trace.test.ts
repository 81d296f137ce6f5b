import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeRootfs } from "../../../conformance/fixtures/bundle.ts";
import { mounting, needs, program } from "../../../conformance/testing.ts";
import { parseTrace } from "./parse.ts";
import { traceCommand } from "./trace.ts";
import { splitWords } from "./words.ts";

const trace = suite("trace");

const shown = (log: string, prefix = "") =>
  parseTrace(log, { directory: "/srv", prefix }).map(({ path, how }) => `${how} ${path}`);

const logs: readonly (readonly [name: string, log: string, files: readonly string[]])[] = [
  [
    "what is opened, executed and looked at",
    `10 execve("/bin/p", ["p"], 0x7ff /* 9 vars */) = 0
10 openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>
10 newfstatat(AT_FDCWD</>, "/usr/share", {st_mode=S_IFDIR|0755, st_size=4096, ...}, 0) = 0
10 readlink("/bin/x", "y", 4095) = 1`,
    ["executed /bin/p", "examined /bin/x", "opened /etc/passwd", "examined /usr/share"],
  ],
  [
    "look-ups that fail stay failures",
    `10 access("/etc/ld.so.preload", R_OK) = -1 ENOENT (No such file or directory)
10 openat(AT_FDCWD</>, "/etc/gone", O_RDONLY) = -1 ENOENT (No such file or directory)
10 openat(AT_FDCWD</>, "/etc/x", O_RDONLY <unfinished ...>`,
    [],
  ],
  [
    "relative paths, by the descriptor or the process's folder",
    `10 openat(AT_FDCWD</opt>, "a", O_RDONLY) = 3</opt/a>
10 openat(5</usr/lib>, "b", O_RDONLY) = 3</usr/lib/b>
10 access("c", R_OK) = 0
10 chdir("sub") = 0
10 access("../d", R_OK) = 0
10 access("e", R_OK) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
11 access("f", R_OK) = 0
11 fchdir(4</>) = 0
11 access("g", R_OK) = 0`,
    [
      "examined /g",
      "opened /opt/a",
      "examined /srv/c",
      "examined /srv/d",
      "examined /srv/sub",
      "examined /srv/sub/e",
      "examined /srv/sub/f",
      "opened /usr/lib/b",
    ],
  ],
  [
    "calls that were interrupted by another process",
    `10 openat(AT_FDCWD</>, "/a", O_RDONLY <unfinished ...>
11 openat(AT_FDCWD</>, "/b", O_RDONLY) = 3</b>
10 <... openat resumed>) = 4</a>`,
    ["opened /a", "opened /b"],
  ],
  [
    "what the program writes is its own",
    `10 openat(AT_FDCWD</>, "/out", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</out>
10 openat(AT_FDCWD</>, "/out", O_RDONLY) = 3</out>
10 mkdir("/made", 0777) = 0
10 stat("/made", {st_mode=S_IFDIR|0755}) = 0
10 rename("/new", "/final") = 0
10 openat(AT_FDCWD</>, "/final", O_RDONLY) = 3</final>
10 openat(AT_FDCWD</>, "/tmp/x", O_RDONLY) = 3</tmp/x>
10 openat(AT_FDCWD</>, "/log", O_RDWR|O_CREAT|O_APPEND, 0666) = 3</log>`,
    [],
  ],
  [
    "names beyond ASCII, and quotation marks",
    `10 openat(AT_FDCWD</>, "/\\303\\244\\"x\\\\", O_RDONLY) = 3</x>`,
    ['opened /ä"x\\'],
  ],
];

for (const [name, log, files] of logs) trace(name, () => assert.equal(shown(log), files));

trace("paths of descriptors lose the root's own path", () =>
  assert.equal(shown('9 openat(AT_FDCWD</mnt/root/opt>, "x", O_RDONLY) = 3</mnt/root/opt/x>', "/mnt/root"), [
    "opened /opt/x",
  ]),
);

const lines: readonly (readonly [line: string, words: readonly string[]])[] = [
  ["curl -s  url", ["curl", "-s", "url"]],
  [`sh -c 'a "b"' "c 'd' \\" e" f\\ g`, ["sh", "-c", 'a "b"', `c 'd' " e`, "f g"]],
  [`a""b ''`, ["ab", ""]],
];
for (const [line, words] of lines) trace(`words of ${line}`, () => assert.equal(splitWords(line), words));
trace("an open quotation mark is an error", () => assert.throws(() => splitWords("a 'b"), /quotation mark is open/));

needs(
  trace,
  mounting,
  program("strace"),
  program("busybox"),
)("a command in a root filesystem, which it can not change", async () => {
  const root = mkdtempSync(join(tmpdir(), `reg-test-${process.pid}-trace-`));
  try {
    makeRootfs(root);
    writeFileSync(join(root, "data"), "x");
    const traced = await traceCommand(root, [
      "/bin/sh",
      "-c",
      "cat /data >/etc/copy; cat /none; cat /etc/copy; exit 3",
    ]);
    assert.is(traced.status, 3);
    const files = traced.files.map(({ path, how }) => `${how} ${path}`);
    for (const file of ["executed /bin/sh", "opened /data"]) assert.ok(files.includes(file), `${file} in ${files}`);
    assert.not(
      files.some((file) => /none|copy|\/tmp/.test(file)),
      String(files),
    );
    assert.not(existsSync(join(root, "etc/copy")));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  assert.equal(
    readdirSync(tmpdir()).filter((name) => name.startsWith("reg-env-trace-")),
    [],
  );
});

trace.run();
