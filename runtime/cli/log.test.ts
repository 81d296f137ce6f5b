import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RegError } from "../errors/errors.ts";
import { formatError, Log, type LogOptions } from "./log.ts";

const log = suite("log");
const folder = mkdtempSync(join(tmpdir(), "reg-log-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** What the file holds after `use`. */
function written(options: Omit<LogOptions, "target">, use: (log: Log) => void): string {
  count += 1;
  const target = join(folder, `log-${count}`);
  use(new Log({ ...options, target }));
  return readFileSync(target, "utf8");
}

const TIME = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ";

log("JSON records have level, msg and time, and no fractions of a second", () => {
  const text = written({ format: "json", level: "info" }, (log) => log.error('a "b"\nc'));
  assert.match(text, new RegExp(`^\\{"level":"error","msg":"a \\\\"b\\\\"\\\\nc","time":"${TIME}"\\}\\n$`));
});

log("text records are as logrus writes them", () => {
  const text = written({ format: "text", level: "info" }, (log) => log.write("warning", "a b"));
  assert.match(text, new RegExp(`^time="${TIME}" level=warning msg="a b"\\n$`));
  assert.match(
    written({ format: "text", level: "info" }, (log) => log.write("info", "word")),
    /msg=word\n$/,
  );
});

log("messages below the level are left out", () => {
  assert.is(
    written({ format: "json", level: "warning" }, (log) => log.write("debug", "x")),
    "",
  );
});

log("a command that succeeds leaves its warnings", () => {
  const text = written({ format: "json" }, (log) => {
    log.write("warning", "odd");
    log.end();
  });
  assert.is(JSON.parse(text).msg, "odd");
});

log("a log in a folder that is missing is refused with its name", () => {
  assert.throws(
    () => new Log({ target: join(folder, "missing/log"), format: "text" }),
    (error: unknown) =>
      error instanceof RegError &&
      error.code === "ENOENT" &&
      error.message.startsWith(`cannot log to ${join(folder, "missing/log")}: `),
  );
});

log("the prefix file: is not a part of the name", () => {
  const path = join(folder, "prefixed");
  new Log({ target: `file:${path}`, format: "text", level: "info" }).write("info", "x");
  assert.match(readFileSync(path, "utf8"), /msg=x/);
});

log("an error has its field behind it and its hint below", () => {
  assert.is(formatError({ message: "no", field: "/a", hint: "yes" }), "no [/a]\nhint: yes");
  assert.is(formatError({ message: "no" }), "no");
});

log.run();
