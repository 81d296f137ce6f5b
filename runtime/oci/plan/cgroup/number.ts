/** Numbers of config.json as the kernel's files want them. */

/** Decimal digits without an exponent; beyond 2^53, those of the nearest double, which all kernels take as "no limit". */
export function decimal(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/** Decimal digits, or "max" for a negative number, which is how the specification says unlimited. */
export function decimalOrMax(value: number): string {
  return value < 0 ? "max" : decimal(value);
}
