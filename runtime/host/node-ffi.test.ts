/** The Node host: every type of a signature at the edges of its width, through functions of libc that give it back. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { host } from "./node-ffi.ts";

const node = suite("node host");

const libc = host.bind({
  abs: ["int", ["int"]],
  labs: ["long", ["long"]],
  htonl: ["uint", ["uint"]],
  strlen: ["ulong", ["string"]],
  strnlen: ["ulong", ["pointer", "ulong"]],
  memmove: ["pointer", ["pointer", "pointer", "ulong"]],
  srand: ["void", ["uint"]],
  close: ["int", ["int"]],
  strtoul: ["ulong", ["string", "pointer", "int"]],
});

node("passes int", () => {
  for (const value of [0, 1, 2 ** 31 - 1]) assert.is(libc.abs(-value), value);
});
node("passes uint", () => assert.is(libc.htonl(0x01020304), 0x04030201));
node("passes uint with the highest bit", () => assert.is(libc.htonl(0xff), 0xff000000));
node("passes long", () => {
  for (const value of [0, 2 ** 32, 2 ** 53 - 1]) assert.is(libc.labs(-value), value);
});
node("returns ulong", () => assert.is(libc.strtoul("9007199254740991", null, 10), 2 ** 53 - 1));
node("passes strings as UTF-8", () => assert.is(libc.strlen("aé"), 3));
node("refuses strings with NUL", () => assert.throws(() => libc.strlen("a\0b"), /NUL/));
node("passes memory, and addresses in it", () => {
  const from = new Uint8Array([1, 2, 3, 4]);
  const to = new Uint8Array(4);
  assert.is(libc.memmove(to, host.address(from) + 1, 2), host.address(to));
  assert.equal([...to], [2, 3, 0, 0]);
});
node("passes a view into the middle of a buffer", () => {
  const bytes = new Uint8Array([65, 65, 0, 65]);
  assert.is(libc.strnlen(bytes.subarray(1), 3), 1);
});
node("returns nothing for void", () => assert.is(libc.srand(1), undefined));
node("saves errno at once", () => {
  const EBADF = 9;
  assert.is(libc.close(-1), -1);
  assert.is(host.errno(), EBADF);
});
node("encodes and decodes UTF-8", () => assert.is(host.decode(host.encode("aé€")), "aé€"));
node("loses no byte of a name that is not UTF-8", () => {
  for (const bytes of [
    [255],
    [0xc3],
    [0xe2, 0x82],
    [0xed, 0xb2, 0x80],
    [0xc0, 0xaf],
    [65, 0xf4, 0x90, 0x80, 0x80, 195, 169],
  ])
    assert.equal([...host.encode(host.decode(new Uint8Array(bytes)))], bytes);
  assert.is(host.decode(new Uint8Array([97, 255])), "a\udcff");
  assert.is(libc.strlen("\udcff\udc80a"), 3);
});

node.run();
