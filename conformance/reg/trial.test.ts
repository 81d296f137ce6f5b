/** The command that an environment is made for: what it names comes in, a trial finds what else it needs, and `reg-env run` runs it. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeRootfs } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { dynamicProgram, glibcRoot, withRoot } from "../fixtures/root.ts";
import { REG, TOP } from "../paths.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";

const trial = suite("reg-env: commands and trials");
const test = needs(trial, root, mounting, cgroups, program("busybox"));
const traced = needs(trial, root, mounting, cgroups, program("busybox"), program("strace"));

const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");

function regEnv(fixture: Fixture, [command = "", ...args]: readonly string[]) {
  const line = [REG_ENV, command, "--store", fixture.path("store"), ...args];
  return spawnSync(process.execPath, line, { encoding: "utf8", env: { ...process.env, REG }, timeout: 60_000 });
}

function makeRoot(fixture: Fixture, files: Readonly<Record<string, string>>): string {
  const path = fixture.path("root");
  makeRootfs(path);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, dirname(name)), { recursive: true });
    writeFileSync(join(path, name), text);
    if (name.endsWith(".sh")) chmodSync(join(path, name), 0o755);
  }
  return path;
}

const has = (fixture: Fixture, name: string, file: string) =>
  existsSync(fixture.path(`store/default/environments/${name}/tree/${file}`));

test("files that the command names come in, relative to its folder, and what a script has beside it", () =>
  withFixture((fixture) => {
    const path = makeRoot(fixture, {
      "srv/app/main.sh": '#!/bin/sh\n. ./lib.sh\ncat "data/text" $1 plain.txt\n',
      "srv/app/lib.sh": "echo lib\n",
      "srv/app/data/text": "text\n",
      "srv/app/plain.txt": "plain\n",
      "srv/app/other": "not named\n",
      "srv/input": "input\n",
      "srv/site/page": "page\n",
    });
    const line = ["--root", path, "--cwd", "/srv/app", "--", "sh", "./main.sh", "../input", "--site=/srv/site"];
    const made = regEnv(fixture, ["generate", "app@1", ...line]);
    assert.is(made.status, 0, made.stderr);
    const files = ["main.sh", "lib.sh", "data/text", "plain.txt", "other", "../input", "../site/page"];
    assert.equal(
      files.map((file) => has(fixture, "app@1", `srv/app/${file}`)),
      [true, true, true, true, false, true, true],
    );
    const { stdout, stderr, status } = regEnv(fixture, ["run", "app@1"]);
    assert.equal([stdout, status], ["lib\ntext\ninput\nplain\n", 0], stderr);
    const folder = regEnv(fixture, ["generate", "app@2", "--root", path, "--", "ls", "/etc"]);
    assert.match(folder.stderr, /the command names \/etc, of which only what else is needed comes in/);
    const elsewhere = regEnv(fixture, ["run", "app@1", "--cwd", "data", "--", "cat", "text"]);
    assert.is(elsewhere.stdout, "text\n", elsewhere.stderr);
  }));

test("a file that is no program keeps its interpreter in the command", () =>
  withFixture((fixture) =>
    withRoot(
      {
        ...glibcRoot(),
        "usr/bin/ruby": dynamicProgram(),
        "srv/main.rb": 'require_relative "lib/a"\nputs File.read("b.txt")\n',
        "srv/lib/a.rb": "",
        "srv/b.txt": "",
      },
      (path) => {
        const line = ["generate", "app@1", "--root", path, "--dry-run", "--format", "json", "--", "/srv/main.rb", "x"];
        const { stdout, stderr } = regEnv(fixture, line);
        const { command, files } = JSON.parse(stdout) as {
          command: string[];
          files: { path: string }[];
        };
        assert.equal(command, ["/usr/bin/ruby", "/srv/main.rb", "x"], stderr);
        for (const file of ["/srv/main.rb", "/srv/lib/a.rb", "/srv/b.txt"])
          assert.ok(
            files.some((each) => each.path === file),
            file,
          );
        assert.not(existsSync(fixture.path("store")));
      },
    ),
  ));

traced("a trial adds what the environment lacks, and says why", () =>
  withFixture((fixture) => {
    const path = makeRoot(fixture, {
      "srv/task.sh":
        '#!/bin/sh\ncat "/srv/$(echo da)ta" && for file in /srv/$(echo fol)der/*; do cat "$file"; done; cat /proc/sys/kernel/random/uuid >/tmp/out\n',
      "srv/data": "first\n",
      "srv/folder/one": "second\n",
      "srv/unused": "",
    });
    const line = ["--root", path, "--trial", "--", "/srv/task.sh"];
    const without = regEnv(fixture, ["generate", "app@1", ...line.filter((each) => each !== "--trial")]);
    assert.is(without.status, 0, without.stderr);
    assert.is.not(regEnv(fixture, ["run", "app@1"]).stdout, "first\nsecond\n");
    const { stdout, stderr, status } = regEnv(fixture, ["generate", "app@1", "--replace", ...line]);
    assert.is(status, 0, stderr);
    assert.match(stdout, /added \/srv\/data: the trial looked for it in vain \(open/);
    assert.match(stdout, /trial: the same as in the full root, after \d additions? \(status 0\)/);
    assert.is(regEnv(fixture, ["run", "app@1"]).stdout, "first\nsecond\n");
    assert.not(has(fixture, "app@1", "srv/unused"));
    assert.match(regEnv(fixture, ["explain", "app@1", "/srv/data"]).stdout, /trial: the trial looked for it in vain/);
    assert.not(existsSync(join(path, "tmp/out")));
  }),
);

test("a trial of a server has a probe, and one that has none and does not end is told of", () =>
  withFixture((fixture) => {
    const path = makeRoot(fixture, { "srv/site/page": "a page\n" });
    const server = ["--", "busybox", "httpd", "-f", "-p", "8080", "-h", "/srv/site"];
    const line = ["generate", "web@1", "--root", path];
    const { stdout, stderr, status } = regEnv(fixture, [...line, "--probe", "http:8080/page", ...server]);
    assert.is(status, 0, stderr);
    assert.match(stdout, /trial: the same as in the full root, at the first try \(an answer to the probe\)/);
    const late = regEnv(fixture, [...line, "--replace", "--trial", "--time-limit", "1", ...server]);
    assert.is(late.status, 1);
    assert.match(late.stderr, /in the full root the command did not end within 1 s[\s\S]*hint: .*--probe/);
    const wrong = regEnv(fixture, [...line, "--replace", "--probe", "exec:false", "--time-limit", "1", ...server]);
    assert.match(wrong.stderr, /in the full root the probe got no answer within 1 s/);
    assert.match(regEnv(fixture, [...line, "--probe", "udp:1", ...server]).stderr, /--probe "udp:1" is not known/);
  }));

traced("a trial makes in the full root what a system makes, and tells of a server that ends there", () =>
  withFixture((fixture) => {
    const path = makeRoot(fixture, {
      "srv/site/page": "a page\n",
      "srv/serve.sh": "#!/bin/sh\ncd /run/web && exec busybox httpd -f -p 8080 -h /srv/site\n",
      "srv/task.sh": "#!/bin/sh\n[ -d /srv/site/page/ ]; cat /srv/$(echo da)ta\n",
      "srv/data": "data\n",
    });
    const line = ["generate", "web@1", "--replace", "--root", path];
    const probed = ["--probe", "http:8080/page", "--", "/srv/serve.sh"];
    const made = regEnv(fixture, [...line, "--mkdir", "/run/web", ...probed]);
    assert.is(made.status, 0, made.stderr);
    assert.match(made.stdout, /trial: the same as in the full root, at the first try/);
    const without = regEnv(fixture, [...line, ...probed]);
    assert.is(without.status, 1);
    assert.match(
      without.stderr,
      /in the full root the command ended, with status \d+, before the probe had an answer; it said/,
    );
    assert.match(without.stderr, /hint: .*--mkdir/);
    // A file that was asked for as if it were a folder is not missing.
    const { stdout, stderr } = regEnv(fixture, [...line, "--include", "/srv/site", "--trial", "--", "/srv/task.sh"]);
    assert.match(stdout, /added \/srv\/data/, stderr);
    assert.not.match(stdout, /added \/srv\/site\/page/);
  }),
);

test("run: user, volumes, hostname, memory, and directories that were made", () =>
  withFixture((fixture) => {
    const path = makeRoot(fixture, {
      "etc/passwd": "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n",
      "etc/group": "web:x:34:\nlog:x:4:web\n",
    });
    const line = [
      "--root",
      path,
      "--user",
      "web",
      "--mkdir",
      "/run/app:0750:web",
      "--program",
      "sh",
      "--program",
      "cat",
    ];
    const { status, stderr } = regEnv(fixture, ["generate", "app@1", ...line, "--", "sh"]);
    assert.is(status, 0, stderr);
    const volume = mkdtempSync(join(fixture.folder, "volume-"));
    chmodSync(volume, 0o777);
    writeFileSync(join(volume, "in"), "from outside\n");
    const run = (...args: string[]) => regEnv(fixture, ["run", "app@1", ...args]);
    const script =
      "id -u; id -g; id -G; echo $HOME; hostname; cat /data/in; stat -c '%a %u:%g' /run/app; echo x >/data/out";
    const options = ["--hostname", "box", "--memory", "64m", "--volume", `${volume}:/data`];
    const all = run(...options, "--", "sh", "-c", script);
    assert.is(all.stdout, "33\n34\n34 4\n/srv\nbox\nfrom outside\n750 33:34\n", all.stderr);
    assert.is(readFileSync(join(volume, "out"), "utf8"), "x\n");
    assert.is(run("--user", "7:8", "--", "sh", "-c", "id -u; id -g").stdout, "7\n8\n");
    assert.match(run("--user", "nobody").stderr, /the environment has no user "nobody"\nhint: it has root, web/);
    assert.match(run("--memory", "much").stderr, /--memory "much" is no size/);
    assert.match(run("--volume", "x").stderr, /--volume "x" is not SOURCE:DESTINATION/);
    const broken = run("--hostname", "a\0b".replace("\0", "x".repeat(70)));
    assert.not.match(broken.stderr, /reg-env-run-/);
  }));

test("run: in the background until it is removed, and killed it leaves nothing", () =>
  withFixture((fixture) => {
    const path = makeRoot(fixture, {});
    assert.is(
      regEnv(fixture, ["generate", "app@1", "--root", path, "--", "sh", "-c", "echo up; exec sleep 1000"]).status,
      0,
    );
    const name = `${fixture.mark}-detached`;
    try {
      const { stdout, stderr, status } = regEnv(fixture, ["run", "app@1", "--detach", "--name", name]);
      assert.equal([stdout, status], [`${name}\n`, 0], stderr);
      waitUntil("output", () => readFileSync(`/run/reg-env/${name}/output`, "utf8") === "up\n");
      assert.match(regEnv(fixture, ["run", "app@1", "--detach", "--name", name]).stderr, /is there already/);
    } finally {
      spawnSync(REG, ["delete", "--force", name]);
    }
    assert.not(existsSync(`/run/reg-env/${name}`));

    const killed = `${fixture.mark}-killed`;
    const line = [REG_ENV, "run", "--store", fixture.path("store"), "app@1", "--name", killed];
    const child = spawn(process.execPath, line, { stdio: "ignore", env: { ...process.env, REG } });
    const state = () => spawnSync(REG, ["state", killed], { encoding: "utf8" });
    waitUntil("a running container", () => state().stdout.includes('"running"'));
    const { bundle } = JSON.parse(state().stdout) as { bundle: string };
    child.kill("SIGKILL");
    waitUntil("no container", () => state().status !== 0);
    waitUntil("no bundle", () => !existsSync(bundle));
  }));

trial.run();
