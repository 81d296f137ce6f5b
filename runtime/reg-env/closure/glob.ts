/** Patterns of shell kind over whole paths: `*` and `?` stay within a name, `**` does not, `[...]` is a set of characters, `{a,b}` a choice. */

export function globToRegExp(pattern: string): RegExp {
  const sources = expandBraces(pattern).map((choice) =>
    choice.replaceAll(/\*\*\/?|\*|\?|\[!?[^\]/]+\]|[.+^$()|{}\]\\[]/g, (token) => {
      if (token === "**/") return "(?:.*/)?";
      if (token === "**") return ".*";
      if (token === "*") return "[^/]*";
      if (token === "?") return "[^/]";
      if (token.length > 1) return token.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
      return `\\${token}`;
    }),
  );
  return new RegExp(`^(?:${sources.join("|")})$`, "s");
}

/** `a{b,c}d` is `abd` and `acd`; a brace without its other half, or without a comma in it, is itself. */
export function expandBraces(pattern: string): string[] {
  for (let start = pattern.indexOf("{"); start !== -1; start = pattern.indexOf("{", start + 1)) {
    const commas: number[] = [start];
    let depth = 0;
    for (let index = start; index < pattern.length; index += 1) {
      const letter = pattern[index];
      if (letter === "{") depth += 1;
      else if (letter === "}") depth -= 1;
      else if (letter === "," && depth === 1) commas.push(index);
      if (depth > 0) continue;
      if (commas.length === 1) break;
      const ends = [...commas.slice(1), index];
      const rest = pattern.slice(index + 1);
      return commas.flatMap((from, choice) =>
        expandBraces(pattern.slice(0, start) + pattern.slice(from + 1, ends[choice]) + rest),
      );
    }
  }
  return [pattern];
}

export function hasWildcard(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}
