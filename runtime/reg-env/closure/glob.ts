/** Patterns of shell kind over whole paths: `*` and `?` stay within a name, `**` does not, `[...]` is a set of characters, `{a,b}` a choice. */
export function globToRegExp(pattern: string): RegExp {
  let depth = 0;
  const source = pattern.replaceAll(/\*\*\/?|\*|\?|\[!?[^\]/]+\]|[{},]|[.+^$()|\]\\[]/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.length > 1 && token.startsWith("[")) return token.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    if (token === "{") {
      depth += 1;
      return "(?:";
    }
    if (token === "}" && depth > 0) {
      depth -= 1;
      return ")";
    }
    if (token === ",") return depth > 0 ? "|" : ",";
    return `\\${token}`;
  });
  return new RegExp(`^${source}$`, "s");
}

export function hasWildcard(pattern: string): boolean {
  return /[*?[{]/.test(pattern);
}
