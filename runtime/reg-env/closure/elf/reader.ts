/** Numbers of either byte order and width, out of bytes. Reads beyond the end throw RangeError. */
export interface Bytes {
  readonly length: number;
  /** 4 or 8: the size of an address. */
  readonly wordSize: number;
  u16(offset: number): number;
  u32(offset: number): number;
  /** An address or size; beyond 2^53 it is not exact, and outside of any file. */
  word(offset: number): number;
}

export function readerOf(bytes: Uint8Array, bits: 32 | 64, bigEndian: boolean): Bytes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = !bigEndian;
  const u32 = (offset: number) => view.getUint32(offset, little);
  return {
    length: bytes.byteLength,
    wordSize: bits / 8,
    u16: (offset) => view.getUint16(offset, little),
    u32,
    word: bits === 32 ? u32 : (offset) => Number(view.getBigUint64(offset, little)),
  };
}
