/**
 * `make experiments-share`: what `reg-env share` is worth, with ten images of three suites of Debian that were made separately, in Podman,
 * Docker and containerd: disk, page cache, memory of each container, time.
 *
 *   share.js [--engines podman,docker,containerd] [--counts 10,50] [--write]
 *
 * Each engine has a session and a store of its own, which are removed after it. The roots are made by root.sh, below build/experiments/roots;
 * the images of them, beside these in archives/, are made once for all engines. --write replaces the rows of the engines that were measured.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { shareStore } from "../../runtime/reg-env/share/share.ts";
import { storesAt } from "../../runtime/reg-env/share/stores/find.ts";
import type { Caller } from "../callers/caller.ts";
import { containerd } from "../callers/containerd.ts";
import { docker } from "../callers/docker.ts";
import { podman } from "../callers/podman.ts";
import { type Workplace, Workshop } from "../callers/workshop.ts";
import { BUILD, REG, TOP } from "../paths.ts";
import { dropCaches } from "./lab.ts";

const { values: options } = parseArgs({
  options: {
    engines: { type: "string", default: "podman,docker,containerd" },
    counts: { type: "string", default: "10,50" },
    roots: { type: "string", default: join(BUILD, "experiments/roots") },
    write: { type: "boolean", default: false },
  },
});
const COUNTS = options.counts.split(",").map(Number);
const TIMEOUT_MS = 1_200_000;

interface Image {
  readonly name: string;
  readonly suite: string;
  readonly packages: string;
  /** What is a layer of its own above the rest, below /usr: makers do not agree on that. */
  readonly second: string;
  readonly command: string;
}

const PYTHON = 'python3 -c "import ssl, json, http.server, time; time.sleep(100000)"';
const REDIS = "redis-server --save '' --port 0 --unixsocket /tmp/redis";
const NGINX = "nginx -g 'daemon off;'";
const PERL = 'perl -e "use POSIX; use File::Find; sleep 100000"';

// Each from a debootstrap of its own.
// biome-ignore format: one image, one line
const IMAGES: readonly Image[] = [
  { name: "bookworm", suite: "bookworm", packages: "", second: "usr/share", command: PERL },
  { name: "bookworm-b", suite: "bookworm", packages: "python3 redis-server", second: "usr/lib/python3.11", command: PYTHON },
  { name: "bookworm-c", suite: "bookworm", packages: "nginx-light python3", second: "usr/bin", command: NGINX },
  { name: "bookworm-d", suite: "bookworm", packages: "redis-server", second: "usr/lib", command: REDIS },
  { name: "trixie", suite: "trixie", packages: "", second: "usr/lib", command: PERL },
  { name: "trixie-b", suite: "trixie", packages: "python3 redis-server", second: "usr/share", command: PYTHON },
  { name: "trixie-c", suite: "trixie", packages: "redis-server nginx-light", second: "usr/sbin", command: NGINX },
  { name: "sid", suite: "sid", packages: "", second: "usr/bin", command: PERL },
  { name: "sid-b", suite: "sid", packages: "python3 redis-server", second: "usr/share", command: PYTHON },
  { name: "sid-c", suite: "sid", packages: "nginx-light redis-server", second: "usr/lib", command: REDIS },
];

interface Engine {
  readonly caller: Caller;
  readonly root: string;
  /** What of the store has the content of layers: containerd keeps the images' archives besides. */
  readonly layers: string;
  readonly start: string;
  readonly load: string;
  /** Starts container number `$i` of image `$n` with `$command`. */
  readonly run: string;
  /** Prints the processes' numbers of all containers, and removes all containers. */
  readonly pids: string;
  readonly clear: string;
}

const ENGINES: Readonly<Record<string, Engine>> = {
  podman: {
    caller: podman,
    root: "storage",
    layers: "storage/overlay",
    start: "true",
    load: "podman load -q -i $archive",
    run: 'podman run -d --cgroup-parent=/$mark --name many-$i $n sh -c "exec $command"',
    pids: "podman ps -q | xargs podman inspect --format '{{.State.Pid}}'",
    clear: "podman rm -aft0",
  },
  docker: {
    caller: docker,
    root: "data",
    layers: "data/overlay2",
    start:
      "serve && { dockerd --config-file $dir/daemon.json --containerd-namespace $mark --containerd-plugins-namespace $mark-plugins </dev/null >$dir/dockerd.log 2>&1 & } && until_true docker version",
    load: "docker load -q -i $archive",
    run: 'docker run -d --net none --name many-$i $n sh -c "exec $command"',
    pids: "docker ps -q | xargs docker inspect --format '{{.State.Pid}}'",
    clear: "docker rm -f $(docker ps -aq)",
  },
  containerd: {
    caller: containerd,
    root: "root",
    layers: "root/io.containerd.snapshotter.v1.overlayfs",
    start: "serve",
    load: "ctr images import --digests=false $archive",
    run: 'ctr run -d --runc-binary $runtime $n many-$i sh -c "exec $command"',
    pids: "ctr tasks ls -q | xargs -n 1 ctr tasks ps | awk '$1 ~ /^[0-9]+$/ { print $1 }'",
    clear:
      "ctr tasks ls -q | xargs -r -n 1 ctr tasks kill -s KILL; until_true sh -c '! ctr tasks ls | grep -q RUNNING'; ctr tasks ls -q | xargs -r ctr tasks rm; ctr containers ls -q | xargs -r ctr containers rm",
  },
};

interface Memory {
  readonly containers: number;
  readonly processes: number;
  readonly pss: number;
  readonly pssFile: number;
  readonly rss: number;
  /** Of the layers' files in the page cache, each inode once. */
  readonly cached: number;
}

interface State {
  /** What the layers take on the disk. */
  readonly disk: number;
  readonly memory: readonly Memory[];
}

interface Result {
  readonly engine: string;
  readonly version: string;
  readonly before: State;
  readonly after: State;
  readonly files: number;
  readonly linked: number;
  readonly seconds: number;
  readonly again: number;
  readonly peak: number;
}

function say(text: string): void {
  process.stderr.write(`experiments: ${text}\n`);
}

function rootOf({ name, suite, packages }: Image): string {
  const root = join(options.roots, name);
  execFileSync(
    "sh",
    [join(TOP, "conformance/suites/root.sh"), "make", suite, root, ...packages.split(" ").filter(Boolean)],
    { stdio: "inherit" },
  );
  return root;
}

/** A docker-archive of two layers. */
function makeArchive(image: Image): string {
  const archive = join(options.roots, "../archives", `${image.name}.tar`);
  if (fs.existsSync(archive)) return archive;
  const root = rootOf(image);
  const folder = `${archive}.new`;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const tar = (name: string, from: string, ...args: string[]) =>
    execFileSync("tar", ["--numeric-owner", "-C", from, "-cf", join(folder, name), ...args]);
  const leftOut = ["./.complete", "./var/lib/apt/lists/*", "./var/cache/apt/*", "./dev/*", "./proc/*", "./sys/*"];
  tar("1.tar", root, ...leftOut.map((path) => `--exclude=${path}`), `--exclude=./${image.second}`, ".");
  tar("2.tar", root, `./${image.second}`);
  const digest = (name: string) =>
    `sha256:${createHash("sha256")
      .update(fs.readFileSync(join(folder, name)))
      .digest("hex")}`;
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] },
    rootfs: { type: "layers", diff_ids: [digest("1.tar"), digest("2.tar")] },
  };
  fs.writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [tag(image)], Layers: ["1.tar", "2.tar"] }];
  fs.writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  tar("image.tar", folder, "manifest.json", "config.json", "1.tar", "2.tar");
  fs.renameSync(join(folder, "image.tar"), archive);
  fs.rmSync(folder, { recursive: true });
  return archive;
}

const tag = ({ name }: Image) => `localhost/${name}:latest`;

async function shell(place: Workplace, script: string): Promise<string> {
  const { status, stdout, stderr } = await place.session.run(`${place.prologue}\n${script}`, TIMEOUT_MS);
  if (status !== 0) throw new Error(`${script}: status ${status}\n${stdout}\n${stderr}`);
  return stdout.trim();
}

/** Bytes on the disk below a directory, each inode once. */
function diskOf(directory: string): number {
  return Number(execFileSync("du", ["-s", "-B1", directory], { encoding: "utf8" }).split("\t")[0]);
}

/** Bytes of the directory's files in the page cache, each inode once. */
function cachedOf(directory: string): number {
  const script = `find "$1" -xdev -type f -size +0 -printf '%i %p\\n' | sort -u -k1,1n | cut -d' ' -f2- | tr '\\n' '\\0' |
    xargs -0 fincore --bytes --noheadings --raw --output RES | awk '{ sum += $1 } END { print sum + 0 }'`;
  return Number(execFileSync("sh", ["-c", script, "sh", directory], { encoding: "utf8" }));
}

async function measure(place: Workplace, engine: Engine): Promise<State> {
  const layers = join(place.folder, engine.layers);
  const disk = diskOf(layers);
  const memory: Memory[] = [];
  for (const containers of COUNTS) {
    dropCaches();
    for (let index = 0; index < containers; index++) {
      const image = IMAGES[index % IMAGES.length];
      if (image === undefined) throw new Error("no image");
      await shell(
        place,
        `n=${tag(image)} i=${index}\ncommand=$(cat <<'END'\n${image.command}\nEND\n)\n${engine.run} >/dev/null`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const pids = await shell(place, engine.pids);
    memory.push({ containers, ...(await memoryOf(pids, place)), cached: cachedOf(layers) });
    await shell(place, `${engine.clear} >/dev/null`);
  }
  return { disk, memory };
}

/** Of the processes, and their children; their numbers are those of the session's pid namespace. */
async function memoryOf(pids: string, place: Workplace): Promise<Omit<Memory, "containers" | "cached">> {
  const sums = { processes: 0, pss: 0, pssFile: 0, rss: 0 };
  const text = await shell(
    place,
    `for pid in ${pids.replaceAll(/\s+/g, " ")}; do echo $pid; cat /proc/$pid/task/$pid/children; echo; done | tr ' ' '\\n' | sort -un |
    while read -r pid; do [ -z "$pid" ] || awk '/^(Rss|Pss|Pss_File):/ { print $1, $2 }' /proc/$pid/smaps_rollup; done`,
  );
  for (const line of text.split("\n")) {
    const [name, kilobytes] = line.split(" ");
    const bytes = Number(kilobytes) * 1024;
    if (name === "Rss:") {
      sums.rss += bytes;
      sums.processes++;
    } else if (name === "Pss:") sums.pss += bytes;
    else if (name === "Pss_File:") sums.pssFile += bytes;
  }
  return sums;
}

async function measureEngine(name: string, engine: Engine): Promise<Result> {
  const workshop = new Workshop([engine.caller]);
  const place = await workshop.open(engine.caller, { kind: "reg", path: REG, label: "reg" });
  try {
    await shell(place, engine.start);
    for (const image of IMAGES) {
      say(`${name}: image ${image.name}`);
      await shell(place, `archive=${makeArchive(image)}\n${engine.load} >/dev/null`);
    }
    say(`${name}: before`);
    const before = await measure(place, engine);
    const [store] = storesAt(join(place.folder, engine.root));
    if (store === undefined) throw new Error("no store");
    const share = () =>
      shareStore(store, {
        exclusions: [],
        linkToMounted: false,
        dryRun: false,
        undo: false,
        cache: join(place.folder, "cache"),
        onProgress: () => undefined,
        onWait: (who) => say(`waiting for ${who}`),
      });
    dropCaches();
    const report = await share();
    const again = await share();
    say(`${name}: after`);
    const after = await measure(place, engine);
    const [program = "", ...args] = engine.caller.version;
    return {
      engine: name,
      version: execFileSync(program, args, { encoding: "utf8" }).trim().split("\n")[0] ?? "",
      before,
      after,
      files: report.files,
      linked: report.done.files,
      seconds: report.milliseconds / 1000,
      again: again.milliseconds / 1000,
      peak: process.resourceUsage().maxRSS * 1024,
    };
  } finally {
    await workshop.close(place);
  }
}

function mb(bytes: number): string {
  const value = bytes / 1e6;
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function rowsOf({ engine, version, before, after, files, linked, seconds, again }: Result): Rows {
  const less = (from: number, to: number) => `${(100 - (to / from) * 100).toFixed(0)} %`;
  const memory = before.memory.flatMap((row, index) => {
    const other = after.memory[index];
    if (other === undefined) return [];
    const per = (value: Memory, bytes: number) => mb(bytes / value.containers);
    return [
      `| ${engine} | ${row.containers} | ${per(row, row.pss)} | ${per(other, other.pss)} | ${per(row, row.pssFile)} | ${per(other, other.pssFile)} | ${mb(row.cached)} | ${mb(other.cached)} | ${less(row.cached, other.cached)} |`,
    ];
  });
  return {
    disk: [
      `| ${engine} | ${version.replace(/^.*?(\d+\.[\d.]+).*$/, "$1")} | ${mb(before.disk)} | ${mb(after.disk)} | ${less(before.disk, after.disk)} | ${files} | ${linked} | ${seconds.toFixed(1)} | ${again.toFixed(1)} |`,
    ],
    memory,
  };
}

interface Rows {
  readonly disk: readonly string[];
  readonly memory: readonly string[];
}

const HEADS: Rows = {
  disk: [
    "| ten images | version | disk, MB | shared | less by | files | linked | seconds | again |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|",
  ],
  memory: [
    "| MB for each container | containers | PSS | shared | of files | shared | page cache, all | shared | less by |",
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
  ],
};

/** The tables, with rows of engines that were not measured now as they are in `text`. */
function tables(results: readonly Result[], text = ""): string {
  const measured = new Map(results.map((result) => [result.engine, rowsOf(result)]));
  const [oldDisk = "", oldMemory = ""] = text.split(HEADS.memory[0] ?? "");
  const rows = (name: keyof Rows, old: string) =>
    Object.keys(ENGINES).flatMap(
      (engine) => measured.get(engine)?.[name] ?? old.split("\n").filter((line) => line.startsWith(`| ${engine} |`)),
    );
  return [...HEADS.disk, ...rows("disk", oldDisk), "", ...HEADS.memory, ...rows("memory", oldMemory), ""].join("\n");
}

const PAGE = join(TOP, "conformance/experiments/SHARE.md");
const MARKED = /(?<=<!-- share -->\n)[\s\S]*(?=<!-- \/share -->)/;

/** After each engine, so that the next one's failing loses nothing. */
function write(results: readonly Result[]): void {
  const machine = `${availableParallelism()} x ${cpus()[0]?.model ?? "unknown"}, ${Math.round(totalmem() / 1e9)} GB, Linux ${release()}.`;
  const page = fs.readFileSync(PAGE, "utf8");
  fs.writeFileSync(
    PAGE,
    page.replace(MARKED, (old) => `${machine}\n\n${tables(results, old)}`),
  );
}

const results: Result[] = [];
for (const name of options.engines.split(",")) {
  const engine = ENGINES[name];
  if (engine === undefined) throw new Error(`no engine ${name}`);
  const lacking = engine.caller.needs.filter(({ met }) => !met).map(({ reason }) => reason);
  if (lacking.length > 0) say(`${name} is left out: ${lacking.join(", ")}`);
  else {
    results.push(await measureEngine(name, engine));
    if (options.write) write(results);
  }
}
process.stdout.write(tables(results));
