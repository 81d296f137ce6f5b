/**
 * What every environment has: the folders that runtimes mount on, users, and names of this machine. Of the machine's own root the hosts file
 * is not taken, as it tells of this machine. Mount points that are missing are added by the store's base unit.
 */
import type { Collector } from "../collector.ts";

const FOLDERS = ["/dev", "/proc", "/sys", "/run", "/tmp", "/var/tmp", "/etc", "/root"];
const LINKS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/var/run", "/var/lock"];
const HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

export function takeBase(collector: Collector): void {
  const asker = { rule: "base", text: "every environment has it", as: "data" } as const;
  for (const path of [...FOLDERS, "/etc/passwd", "/etc/group"]) collector.add(path, asker);
  if (collector.root.prefix !== "" && collector.root.locate("/etc/hosts")?.stats.isFile() === true)
    collector.add("/etc/hosts", asker);
  else
    collector.generate("/etc/hosts", {
      content: Buffer.from(HOSTS),
      mode: 0o644,
      reason: { rule: "base", text: "names of this machine; engines mount their own over it" },
    });
}

/** Links at the top, such as /lib64, whose targets have something in the environment. */
export function takeMergedFolders(collector: Collector): void {
  for (const path of LINKS) {
    const link = collector.root.locate(path);
    const target = collector.root.resolve(path)?.path;
    if (link?.stats.isSymbolicLink() !== true || target === undefined) continue;
    const isUsed = [...collector.files.keys()].some((file) => file === target || file.startsWith(`${target}/`));
    if (isUsed) collector.add(path, { rule: "base", text: `programs and scripts name files by ${path}`, as: "data" });
  }
}
