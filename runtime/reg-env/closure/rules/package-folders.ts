/**
 * Plugins and data of packages, which stand in folders under the package's, the library's or any other name: the package database tells whose they
 * are. For a program that was asked for, and for each library that a program loads: folders with shared objects below the library folder, and
 * data in /usr/share and /etc, of its package and of those that were split from it.
 */
import { dirname } from "node:path";
import type { Asker, Collector } from "../collector.ts";

/** Languages have rules of their own, the C library its table; systemd's are for a system, which a container is not. */
const OTHERS =
  /^(lib)?(python|perl|ruby|php|node|openjdk|default-j|lua|tcl|tk|emacs|git|systemd|udev|libsystemd|libudev|libc6|libc-|libc$|musl|bash|dash|busybox|coreutils|apt|dpkg|gcc-|gconv|locales|tzdata|ca-certificates)/;
/** What a package was split into. */
const SPLIT = /-(common|data|runtime|files|core|base|bin|modules|plugins?|extra|config)([-\d.]|$)/;
const NOT_RUN = /-(dev|doc|docs|dbg|dbgsym|tests?|examples?|headers)$/;
/** Of everybody, or for people and desktops. */
const NO_DATA =
  /^\/usr\/share\/(doc|doc-base|man|info|lintian|bug|locale|applications|icons|pixmaps|metainfo|appdata|menu|bash-completion|zsh|fish|vim|gdb|gtk-doc|help|polkit-1|dbus-1|apport|initramfs-tools|perl5?|python3?|nodejs|ruby\w*|java|debhelper|dh-\w+|reportbug|keyrings|mime|mime-info|sounds|wayland-sessions|xsessions|fonts)(\/|$)/;
const NO_CONFIGURATION =
  /^\/etc\/(init\.d|default|cron\.\w+|logrotate\.d|rc\w\.d|systemd|init|udev|apparmor\.d|bash_completion\.d|profile\.d|X11|xdg|dbus-1|ufw|update-motd\.d|emacs|alternatives|skel|security|pam\.d)(\/|$)/;
const LIBRARY_FOLDER = /^\/(?:usr\/)?(?:local\/)?lib(?:32|64|exec)?(?:\/[^/]+-linux-[^/]+)?\/(?![^/]*-linux-)[^/]+\//;
const SHARED_OBJECT = /\.so(\.\d+)*$/;

export function takePackageFolders(programs: readonly string[], collector: Collector): void {
  const taken = new Set<string>();
  const owners = new Map<string, string>();
  for (const program of programs) note(program, owners, collector);
  for (const process of collector.processes.values())
    for (const { path } of process.objects.slice(1)) note(path, owners, collector);
  for (const [name, from] of owners)
    for (const each of relatedPackages(name, collector)) {
      if (taken.has(each)) continue;
      taken.add(each);
      takeFolders(each, from, collector);
    }
}

/** The package of a file, unless another rule looks after it. */
function note(path: string, owners: Map<string, string>, { packages }: Collector): void {
  const name = packages.ownerOf(path)?.name;
  if (name !== undefined && !OTHERS.test(name) && !owners.has(name)) owners.set(name, path);
}

/** A package, and those of its source or its dependencies that hold its parts. */
export function relatedPackages(name: string, { packages }: Collector): string[] {
  const siblings = new Set(packages.siblingsOf(name));
  const parts = packages
    .dependenciesOf(name)
    .filter((each) => siblings.has(each) || SPLIT.test(each.replace(/^lib/, "")));
  const plugins = [...siblings].filter((each) => SPLIT.test(each));
  return [...new Set([name, ...parts, ...plugins])].filter(
    (each) => !NOT_RUN.test(each) && (each === name || !OTHERS.test(each)),
  );
}

function takeFolders(name: string, from: string, collector: Collector): void {
  const { root, packages } = collector;
  const process = collector.processes.get(from);
  const asker: Asker = { rule: "package-folders", from, text: "", as: "data" };
  const folders = new Set<string>();
  for (const path of packages.filesOf(name) ?? []) {
    const isPlugin = SHARED_OBJECT.test(path) && LIBRARY_FOLDER.test(path);
    const isData =
      (path.startsWith("/usr/share/") && !NO_DATA.test(path)) ||
      (path.startsWith("/etc/") && !NO_CONFIGURATION.test(path) && dirname(path) !== "/etc");
    // Beside plugins stand lists and caches of them.
    const isBeside =
      !isPlugin &&
      LIBRARY_FOLDER.test(path) &&
      !/\/(pkgconfig|cmake|girepository-1\.0|systemd|tmpfiles\.d|sysusers\.d|debug|\.build-id)\//.test(path);
    if (!isPlugin && !isData && !isBeside) continue;
    const found = root.locate(path);
    if (found === undefined || found.stats.isDirectory()) continue;
    if (isPlugin) folders.add(dirname(found.path));
    const what = isPlugin ? "a plugin" : isData ? "data" : "beside the plugins";
    const text = `${what} of the package ${name}, which ${from} is a part of, or was split from`;
    if (isPlugin) collector.add(path, { ...asker, text, as: "module", ...(process === undefined ? {} : { process }) });
    else collector.add(path, { ...asker, text });
  }
  // Plugins of others in the same folders, and lists of plugins that were made when packages were installed.
  for (const folder of folders)
    for (const file of root.list(folder)) {
      const path = `${folder}/${file}`;
      const text = `beside the plugins of the package ${name}, of which ${from} is a part, or which was split from it`;
      if (root.resolve(path)?.stats.isFile() !== true) continue;
      if (SHARED_OBJECT.test(path))
        collector.add(path, { ...asker, text, as: "module", ...(process === undefined ? {} : { process }) });
      else if (packages.ownerOf(path) === undefined) collector.add(path, { ...asker, text });
    }
}
