import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RegError } from "../errors/errors.ts";
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { close } from "./file.ts";
import { libc } from "./libc.ts";
import { Struct } from "./memory.ts";
import { bindStream, connectUnix, receiveMessage, sendMessage, socketPair } from "./socket.ts";

const sockets = suite("unix sockets");

/** Runs the test with a socket at which somebody listens who accepts nothing. */
function withSilence(test: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "reg-test-"));
  const path = join(folder, "socket");
  const listener = bindStream(path);
  try {
    checked(libc.listen(listener, 0), "listen(2)", path);
    test(path);
  } finally {
    close(listener);
    rmSync(folder, { recursive: true });
  }
}

function errorOf(action: () => void): RegError {
  try {
    action();
  } catch (error) {
    if (error instanceof RegError) return error;
    throw error;
  }
  throw new Error("no error");
}

sockets("who accepts no connection is not waited for without an end", () =>
  withSilence((path) => {
    const waiting = connectUnix(path); // there is room for one
    const error = errorOf(() => connectUnix(path));
    close(waiting);
    assert.match(error.message, `connect(2) ${path}: resource temporarily unavailable (EAGAIN)`);
    assert.is(error.hint, "nobody accepts connections there");
  }),
);

sockets("a message without a byte is taken away, with what came beside it, and holds up none behind it", () => {
  const [ours, theirs] = socketPair(C.SOCK_DGRAM);
  const opened = () => readdirSync("/proc/self/fd").length;
  try {
    const before = opened();
    sendMessage(theirs, new Uint8Array(0), [theirs]);
    sendMessage(theirs, Buffer.from("words"));
    assert.is(receiveMessage(ours, 100), undefined);
    assert.is(opened(), before);
    assert.is(Buffer.from(receiveMessage(ours, 100)?.payload ?? []).toString(), "words");
  } finally {
    close(ours);
    close(theirs);
  }
});

sockets("a part of a message is no success when the other side does not read the rest", () =>
  withSilence((path) => {
    const connection = connectUnix(path);
    const timeval = new Struct(16).setU64(8, 100_000); // µs, so that the test need not wait as long
    checked(
      libc.setsockopt(connection, C.SOL_SOCKET, C.SO_SNDTIMEO, timeval.bytes, 16),
      "setsockopt(2)",
      "SO_SNDTIMEO",
    );
    const error = errorOf(() => sendMessage(connection, new Uint8Array(4_000_000)));
    close(connection);
    assert.is(error.code, "EAGAIN");
  }),
);

sockets.run();
