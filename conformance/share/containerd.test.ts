/** share on the stores of containerd and of Docker, with their daemons at work meanwhile. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { shareStore } from "../../runtime/reg-env/share/share.ts";
import { storesAt } from "../../runtime/reg-env/share/stores/find.ts";
import type { Exclusion } from "../../runtime/reg-env/share/stores/store.ts";
import type { Caller } from "../callers/caller.ts";
import { containerd } from "../callers/containerd.ts";
import { docker } from "../callers/docker.ts";
import { type Workplace, Workshop } from "../callers/workshop.ts";
import { REG } from "../paths.ts";
import { needs } from "../testing.ts";
import { assertSame, dump } from "./fake-store.ts";

const TIMEOUT_MS = 240_000;

/** How each engine is told to do the same. In all of them `$n` is the image's name. */
interface Engine {
  readonly caller: Caller;
  /** Below the folder of the session. */
  readonly root: string;
  readonly layers: string;
  readonly start: string;
  /** Takes a root filesystem's archive, "$dir/$n.tar", as an image with one layer. */
  readonly load: string;
  /** Prints what `$command` prints in a container of the image. */
  readonly run: string;
  readonly runInBackground: string;
  readonly stop: string;
  /** Prints the digests of all that the image consists of, made from what is kept now. */
  readonly digest: string;
  readonly remove: string;
}

/** Writes a docker-archive of a layer; every engine loads one. */
const ARCHIVE = `
archive_of() ( # NAME LAYER...: an image of the layers, which are tar files
    name=$1; shift; work=$dir/archive; rm -rf $work; mkdir -p $work; layers=; diffs=; i=0
    for layer; do
        i=$((i + 1)); cp $layer $work/$i.tar
        layers="$layers\${layers:+,}\\"$i.tar\\""; diffs="$diffs\${diffs:+,}\\"sha256:$(sha256sum <$layer | cut -d' ' -f1)\\""
    done
    echo "{\\"architecture\\":\\"$(dpkg --print-architecture)\\",\\"os\\":\\"linux\\",\\"config\\":{\\"Env\\":[\\"PATH=/sbin:/bin\\"],\\"Labels\\":{\\"maker\\":\\"$name\\"}},\\"rootfs\\":{\\"type\\":\\"layers\\",\\"diff_ids\\":[$diffs]}}" >$work/config.json
    echo "[{\\"Config\\":\\"config.json\\",\\"RepoTags\\":[\\"localhost/$name:latest\\"],\\"Layers\\":[$layers]}]" >$work/manifest.json
    tar -C $work -cf $dir/$name.tar .
)
`;

const CONTAINERD: Engine = {
  caller: containerd,
  root: "root",
  layers: "root/io.containerd.snapshotter.v1.overlayfs/snapshots",
  start: "serve",
  load: "ctr images import --digests=false $dir/$n.tar >/dev/null",
  run: '(ctr run --rm --runc-binary $runtime localhost/$n:latest run-$$ sh -c "$command; sleep 0.2")',
  runInBackground: "ctr run -d --runc-binary $runtime localhost/$n:latest back sleep 1000",
  stop: "ctr tasks kill -s KILL back; until_true sh -c \"ctr tasks ls | grep -q 'back .*STOPPED'\"; ctr tasks rm back >/dev/null; ctr containers rm back",
  // Of what the snapshot holds now, as it would be for a new image: its difference to nothing.
  digest: "ctr images check name==localhost/$n:latest | tail -n 1; ctr images export - localhost/$n:latest | sha256sum",
  remove: "ctr images rm --sync localhost/$n:latest >/dev/null",
};

const DOCKER: Engine = {
  caller: docker,
  root: "data",
  layers: "data/overlay2",
  start: `serve && { dockerd --config-file $dir/daemon.json --containerd-namespace $mark --containerd-plugins-namespace $mark-plugins </dev/null >$dir/dockerd.log 2>&1 & } && until_true docker version`,
  load: "docker load -q -i $dir/$n.tar >/dev/null",
  run: '{ docker run --rm --net none localhost/$n sh -c "$command"; }',
  runInBackground: "docker run -d --net none --name back localhost/$n sleep 1000 >/dev/null",
  stop: "docker rm -f back >/dev/null",
  digest:
    "docker save localhost/$n | tar -xO --wildcards '*.tar' | sha256sum; docker image inspect --format '{{.Id}} {{.RootFS.Layers}} {{.Size}}' localhost/$n",
  remove: "docker rmi -f localhost/$n >/dev/null",
};

for (const [name, engine] of Object.entries({ containerd: CONTAINERD, docker: DOCKER })) testEngine(name, engine);

function testEngine(name: string, engine: Engine): void {
  const tests = suite(`share: ${name}`);
  const test = needs(tests, ...engine.caller.needs);
  const workshop = engine.caller.needs.every(({ met }) => met) ? new Workshop([engine.caller]) : undefined;
  let place: Workplace;

  /** What a script prints in the engine's session; a failure is an error with all that it said. */
  async function shell(script: string): Promise<string> {
    const { status, stdout, stderr } = await place.session.run(
      `${place.prologue}\n${ARCHIVE}\nset -e\n${script}`,
      TIMEOUT_MS,
    );
    assert.is(status, 0, `${script}: status ${status}\n${stdout}\n${stderr}`);
    return stdout.trim();
  }
  const inImage = (image: string, command: string) => shell(`n=${image} command='${command}'; ${engine.run}`);
  const digestOf = (image: string) => shell(`n=${image}; ${engine.digest}`);
  const layersAsText = () => dump(join(place.folder, engine.layers)).filter((line) => /^\S*\/(diff|fs)[/ ]/.test(line));
  function share(options: { undo?: boolean; linkToMounted?: boolean; exclusions?: Exclusion[] } = {}) {
    const [store] = storesAt(join(place.folder, engine.root));
    if (store === undefined) throw new Error("the store is not found");
    assert.is(store.engine, name);
    return shareStore(store, {
      exclusions: [],
      linkToMounted: false,
      dryRun: false,
      undo: false,
      cache: join(place.folder, "cache"),
      onProgress: () => undefined,
      onWait: () => undefined,
      ...options,
    });
  }

  tests.before(async () => {
    if (workshop === undefined) return;
    place = await workshop.open(engine.caller, { kind: "reg", path: REG, label: "reg" });
    // Two images of the same files with different layers, and two on top of them with one more.
    await shell(`${engine.start}
      mkdir -p $dir/root/usr/share/data $dir/more/usr/share/more && cp -a $rootfs/. $dir/root
      for i in $(seq 60); do seq $i 2000 >$dir/root/usr/share/data/$i; seq $i 1000 >$dir/more/usr/share/more/$i; done
      ln $dir/root/usr/share/data/1 $dir/root/usr/share/data/hard
      cat $dir/root/usr/share/data/* >$dir/all
      tar -C $dir/root -cf $dir/1.layer . ; tar -C $dir/root -cf $dir/2.layer usr home bin etc sbin proc sys dev run tmp root var
      echo other >$dir/more/own; tar -C $dir/more -cf $dir/3.layer usr own ; rm $dir/more/own; tar -C $dir/more -cf $dir/4.layer usr
      archive_of one $dir/1.layer; archive_of two $dir/2.layer; archive_of three $dir/1.layer $dir/3.layer; archive_of four $dir/2.layer $dir/4.layer
      for n in one two three four; do ${engine.load}; done`);
  });

  tests.after(async () => {
    if (place === undefined) return;
    await workshop?.close(place);
  });

  test("images share, and are the same for the engine afterwards", async () => {
    const images = ["one", "two", "three", "four"];
    const before = layersAsText();
    const digests = [];
    for (const image of images) digests.push(await digestOf(image));
    const report = await share();
    assert.equal(report.layers, { free: 4, mounted: 0, excluded: 0 });
    assert.ok(report.done.files > 120, `${report.done.files} files are linked`);
    assertSame(layersAsText(), before);
    for (const [index, image] of images.entries()) assert.is(await digestOf(image), digests[index], image);
    const inode = (image: string, path: string) => inImage(image, `stat -c %i ${path}`);
    for (const path of ["/bin/busybox", "/usr/share/data/7", "/usr/share/data/hard"])
      assert.is(await inode("one", path), await inode("two", path), path);
    assert.is(await inode("three", "/usr/share/more/9"), await inode("four", "/usr/share/more/9"));
    assert.is.not(await inode("one", "/etc/passwd"), await inode("two", "/etc/passwd"));
  });

  test("a write in a container stays in it", async () => {
    assert.is(
      await inImage(
        "one",
        "echo changed >/usr/share/data/7; rm /usr/share/data/8; cat /usr/share/data/7; ls /usr/share/data/8 2>/dev/null; true",
      ),
      "changed",
    );
    for (const image of ["one", "two"])
      assert.is(await inImage(image, "head -n 1 /usr/share/data/7 /usr/share/data/8 | grep -v = | xargs"), "7 8");
  });

  test("what runs is left alone, and may lend its files when it is asked for", async () => {
    await share({ undo: true });
    await shell(`n=three; ${engine.runInBackground}`);
    const before = layersAsText();
    const report = await share();
    assert.ok(report.layers.mounted >= 2, JSON.stringify(report.layers));
    assert.is(report.done.files, 0);
    assert.ok((await share({ linkToMounted: true })).done.files > 120);
    assert.equal(layersAsText().filter((line) => before.includes(line)).length, before.length);
    await shell(engine.stop);
  });

  test("images are left out by label and name", async () => {
    await share({ undo: true });
    const by = async (exclusion: Exclusion) => (await share({ exclusions: [exclusion] })).layers.excluded;
    assert.is(await by({ kind: "label", name: "maker", value: "three" }), 2);
    assert.is(await by({ kind: "image", name: "localhost/two:latest" }), 1);
    assert.is(await by({ kind: "label", name: "maker", value: undefined }), 4);
    if (name === "containerd") assert.is(await by({ kind: "namespace", name: place.mark }), 4);
    assert.is((await share()).layers.excluded, 0);
  });

  test("while the engine loads, runs and removes, nothing is lost", async () => {
    const worker = spawn(
      process.execPath,
      [
        fileURLToPath(new URL("./worker.js", import.meta.url)),
        join(place.folder, engine.root),
        join(place.folder, "cache"),
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await once(worker.stdout, "data");
    try {
      await shell(`
        for i in $(seq 6); do
          echo $i >$dir/more/own; tar -C $dir/more -cf $dir/5.layer usr own
          { cat $dir/1.layer; } >$dir/6.layer; tar -C $dir/more -rf $dir/6.layer own
          archive_of new$i $dir/6.layer $dir/5.layer
          n=new$i; ${engine.load}
          command="cat /own"; [ "$( ${engine.run} )" = $i ]
          command="cat /usr/share/data/*"; ${engine.run} | cmp - $dir/all
          [ $i -lt 3 ] || { n=new$((i - 2)); ${engine.remove}; }
        done`);
    } finally {
      assert.is(worker.exitCode, null, "share has failed");
      const exit = once(worker, "exit");
      worker.kill("SIGKILL");
      await exit;
    }
    await share();
    for (const image of ["one", "two", "three", "new5", "new6"])
      await shell(`n=${image} command="cat /usr/share/data/*"; ${engine.run} | cmp - $dir/all`);
  });

  test("nothing of share's is left", () => {
    const leftovers = (folder: string) =>
      fs.readdirSync(join(place.folder, folder)).filter((entry) => entry.startsWith(".reg"));
    assert.equal([engine.layers, join(engine.layers, "..")].flatMap(leftovers), []);
  });

  tests.run();
}
