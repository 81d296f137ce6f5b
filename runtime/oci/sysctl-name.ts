/** Names of kernel parameters. Source: sysctl(8), runtime-spec config-linux.md "Sysctl". */

/**
 * The file of a parameter, relative to /proc/sys; undefined for a name that is none, or leads elsewhere. What is allowed is
 * decided on this path and nothing else, as it is what gets opened.
 *
 * The first separator decides: in `net.ipv4.conf.eth0/1` a dot separates and a slash stands for a dot in the name; in
 * `net/ipv4/conf/eth0.1` it is the other way round.
 */
export function sysctlFile(name: string): string | undefined {
  const dot = name.indexOf(".");
  const slash = name.indexOf("/");
  const dots = dot !== -1 && (slash === -1 || dot < slash);
  const parts = name.split(dots ? "." : "/");
  for (let index = 0; index < parts.length; index++) {
    const part = dots ? (parts[index] ?? "").replaceAll("/", ".") : (parts[index] ?? "");
    if (part === "" || part === "." || part === ".." || part.includes("\0")) return undefined;
    parts[index] = part;
  }
  return parts.join("/");
}
