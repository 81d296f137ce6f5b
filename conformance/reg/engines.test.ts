/**
 * Environments and the engines' own stores: each engine loads what export wrote and runs it, and gives it back, for install and for generate --image, by the
 * transports that reg-env has for them. What is given back is the same environment.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Caller } from "../callers/caller.ts";
import { containerd } from "../callers/containerd.ts";
import { docker } from "../callers/docker.ts";
import { podman } from "../callers/podman.ts";
import { type Workplace, Workshop } from "../callers/workshop.ts";
import { REG, TOP } from "../paths.ts";
import { needs, program } from "../testing.ts";

const TIMEOUT_MS = 120_000;
const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");

interface Engine {
  readonly caller: Caller;
  readonly start: string;
  /** What it takes, as export writes it. */
  readonly formats: readonly string[];
  /** Takes the archive $file as an image. */
  readonly load: string;
  /** Runs the image $image with its own command. */
  readonly run: string;
  /** Removes the image $image. */
  readonly remove: string;
  readonly transports: readonly string[];
}

const ENGINES: Readonly<Record<string, Engine>> = {
  podman: {
    caller: podman,
    start: "true",
    formats: ["oci-archive", "docker-archive"],
    load: "podman load -q -i $file >/dev/null",
    run: "podman run --rm $parent $image",
    remove: "podman rmi -f $image >/dev/null",
    transports: ["podman", "containers-storage"],
  },
  containerd: {
    caller: containerd,
    start: "serve",
    formats: ["oci-archive", "docker-archive"],
    load: "ctr images import $file >/dev/null",
    // ctr drops what is written right before the end.
    run: "ctr run --rm --runc-binary $runtime --runtime io.containerd.runc.v2 $image run-$$",
    remove: "ctr images rm --sync $image >/dev/null",
    transports: ["containerd"],
  },
  docker: {
    caller: docker,
    start:
      "serve && { dockerd --config-file $dir/daemon.json --containerd-namespace $mark --containerd-plugins-namespace $mark-plugins </dev/null >$dir/dockerd.log 2>&1 & } && until_true docker version",
    formats: ["docker-archive"],
    load: "docker load -q -i $file >/dev/null",
    run: "docker run --rm --net none $image",
    remove: "docker rmi -f $image >/dev/null",
    transports: ["docker-daemon"],
  },
};

const IMAGE = "localhost/app:1.2_x";
const SAYS = "made of reg\n1000\nsomeone\n/tmp\n";

for (const [name, engine] of Object.entries(ENGINES)) testEngine(name, engine);

function testEngine(name: string, engine: Engine): void {
  const tests = suite(`environments in the store of ${name}`);
  const { needs: conditions } = engine.caller;
  const test = needs(tests, ...conditions, program("busybox"));
  const workshop = conditions.every(({ met }) => met) ? new Workshop([engine.caller]) : undefined;
  let place: Workplace;

  async function shell(script: string): Promise<string> {
    const functions = `reg_env() { REG=${REG} ${process.execPath} ${REG_ENV} "$@" --store $dir/$store; }`;
    const { status, stdout, stderr } = await place.session.run(
      `${place.prologue}\n${functions}\nimage=${IMAGE} store=store\nset -e\n${script}`,
      TIMEOUT_MS,
    );
    assert.is(status, 0, `${script}: status ${status}\n${stdout}\n${stderr}`);
    return stdout;
  }
  const manifest = (store: string) =>
    JSON.parse(readFileSync(join(place.folder, store, "default/environments/app@1.2+x/manifest.json"), "utf8"));

  tests.before(async () => {
    if (workshop === undefined) return;
    place = await workshop.open(engine.caller, { kind: "reg", path: REG, label: "reg" });
    await shell(engine.start);
    await shell(`
      reg_env() { ${process.execPath} ${REG_ENV} "$@"; }
      reg_env generate app@1.2+x --store $dir/store --root $rootfs --env A=reg --user someone --cwd /tmp \\
        --program id --program sleep -- sh -c 'echo made of $A; id -u; id -un; pwd; sleep 0.3'
      for format in oci-archive docker-archive; do
        reg_env export app@1.2+x $dir/$format --store $dir/store --format $format
      done`);
  });

  tests.after(async () => {
    if (place !== undefined) await workshop?.close(place);
  });

  for (const format of engine.formats)
    test(`it loads ${format}, runs it, and gives it back`, async () => {
      assert.is(await shell(`file=$dir/${format}; ${engine.load}; ${engine.run}`), SAYS);
      for (const transport of engine.transports) {
        const store = `${format}-${transport}`;
        await shell(`store=${store}; reg_env install ${transport}:$image; reg_env verify`);
        assert.equal(manifest(store), manifest("store"));
        assert.is(await shell(`store=${store}; reg_env run app@1.2+x`), SAYS);
      }
      await shell(engine.remove);
    });

  test("generate --image takes one from it", async () => {
    const [transport = ""] = engine.transports;
    const format = engine.formats.at(-1) ?? "";
    const said = await shell(`file=$dir/${format}; ${engine.load}
      reg_env generate own@1 --image ${transport}:$image >/dev/null; reg_env run own@1
      if reg_env generate gone@1 --image ${transport}:localhost/gone:1 2>$dir/said; then exit 1; fi; cat $dir/said`);
    assert.ok(said.startsWith(SAYS), said);
    assert.match(said, /gone.*\nhint: the engine has to be installed, and to have the image/s);
    await shell(engine.remove);
  });

  tests.run();
}
