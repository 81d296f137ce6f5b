/** Patterns of shell kind over whole paths: `*` and `?` stay within a name, `**` does not, `[...]` is a set of characters, `{a,b}` a choice. */
import { braceExpand, Minimatch } from "minimatch";

const OPTIONS = { dot: true, noext: true, nonegate: true, nocomment: true, platform: "linux" } as const;

/** A pattern that was read. */
export interface Pattern {
  /** Whether a whole path matches. */
  test(path: string): boolean;
}

/** A set without members, such as `[z-a]`, matches nothing. */
export function parsePattern(text: string): Pattern {
  const pattern = new Minimatch(text, OPTIONS);
  return { test: (path) => pattern.match(path) };
}

/** `a{b,c}d` is `abd` and `acd`; a brace without its other half, or without a comma in it, is itself. */
export function expandBraces(pattern: string): string[] {
  return braceExpand(pattern, OPTIONS);
}

export function hasWildcard(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}
