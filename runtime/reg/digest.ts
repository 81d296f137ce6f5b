/** SHA-256, and the one way to write a value as text, so that equal values have equal digests. */
import { sha256 } from "@noble/hashes/sha2.js";
import { host } from "#host";

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** SHA-256 of a text's UTF-8, in hexadecimal. */
export function digestOf(text: string): string {
  return toHex(sha256(host.encode(text)));
}

/** JSON with sorted keys and no space. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([left], [right]) => (left < right ? -1 : 1)))
      : item,
  );
}
