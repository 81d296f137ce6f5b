/** The six kinds of hook: when each runs, where, with what on stdin, and what its failure does. Source: runtime-spec config.md, Hooks. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Hook, HookName, Spec } from "../fixtures/bundle.ts";
import { type Fixture, type State, withFixture } from "../fixtures/fixture.ts";
import { REG, TOP } from "../paths.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const hooks = suite("hooks");
const test = needs(hooks, root, mounting, cgroups);

const SHARED = "/hooks";

/** A hook that notes its name in `order`, and the state it gets in a file of its name; both in the fixture's folder. */
function noting(name: HookName, folder: string, shell: string): Hook {
  const script = `cat > ${folder}/${name}; echo ${name} >> ${folder}/order`;
  return { path: shell, args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"] };
}

/** All kinds at once. Those in the runtime's namespaces use the host's shell, startContainer the container's. */
function withAllHooks(fixture: Fixture, make = noting): (spec: Spec) => void {
  const host = (name: HookName) => [make(name, fixture.folder, "/bin/sh")];
  return (spec) => {
    spec.mounts.push({ destination: SHARED, type: "bind", source: fixture.folder, options: ["bind"] });
    spec.hooks = {
      prestart: host("prestart"),
      createRuntime: host("createRuntime"),
      createContainer: host("createContainer"),
      startContainer: [make("startContainer", SHARED, "/bin/sh")],
      poststart: host("poststart"),
      poststop: host("poststop"),
    };
  };
}

const failing: Hook = { path: "/bin/sh", args: ["sh", "-c", "echo the reason >&2; exit 3"] };
const endless: Hook = { path: "/bin/sh", args: ["sh", "-c", "exec sleep 1000"], timeout: 1 };

const order = (fixture: Fixture) => fixture.read("order").trim().split("\n");

test("each kind runs at its time", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper(withAllHooks(fixture)));
    const created = order(fixture).filter((name) => name !== "poststart");
    assert.equal(created, ["prestart", "createRuntime", "createContainer"]);
    fixture.succeed("start", id);
    fixture.waitForText(fixture.path("order"), "startContainer");
    fixture.waitForText(fixture.path("order"), "poststart");
    assert.not(order(fixture).includes("poststop"));
    fixture.succeed("delete", "--force", id);
    assert.is(order(fixture).at(-1), "poststop");
    assert.is(order(fixture).length, 6);
    fixture.assertNothingLeft();
  }));

test("the program starts after startContainer", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell(`echo program >> ${SHARED}/order`, withAllHooks(fixture));
    const { status, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0, stderr);
    const names = order(fixture);
    assert.ok(names.indexOf("startContainer") < names.indexOf("program"), names.join(" "));
    assert.is(names.at(-1), "poststop");
  }));

const STATUSES: [name: HookName, statuses: State["status"][]][] = [
  ["prestart", ["created"]],
  ["createRuntime", ["creating"]],
  ["createContainer", ["creating"]],
  ["startContainer", ["created"]],
  ["poststart", ["running"]],
  ["poststop", ["stopped"]],
];
for (const [name, statuses] of STATUSES)
  test(`${name} gets the state, ${statuses.join(" or ")}`, () =>
    withFixture((fixture) => {
      const bundle = fixture.sleeper(withAllHooks(fixture));
      const id = fixture.create(bundle);
      const { pid } = fixture.state(id);
      fixture.succeed("start", id);
      fixture.waitForText(fixture.path("order"), "poststart");
      fixture.waitForText(fixture.path("order"), "startContainer");
      fixture.succeed("delete", "--force", id);
      const state: State = JSON.parse(fixture.read(name));
      assert.is(state.id, id);
      assert.is(state.bundle, bundle.path);
      assert.ok(statuses.includes(state.status), state.status);
      if (name === "prestart" || name === "createRuntime" || name === "poststart") assert.is(state.pid, pid);
    }));

for (const name of ["prestart", "createRuntime", "createContainer"] as const) {
  test(`a failing ${name} hook undoes the create`, () =>
    withFixture((fixture) => {
      const bundle = fixture.sleeper((spec) => {
        spec.hooks = { [name]: [failing] };
      });
      fixture.fail(/hook.*(exit status 3|status 3)/s, ["create", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

  test(`a ${name} hook that takes longer than its timeout is killed, and undoes the create`, () =>
    withFixture((fixture) => {
      const bundle = fixture.sleeper((spec) => {
        spec.hooks = { [name]: [endless] };
      });
      fixture.fail(/hook.*(timeout of 1|no end within 1 s)/is, ["create", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));
}

test("a failing startContainer hook keeps the program from starting", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell(`echo program > ${SHARED}/program`, (spec) => {
      spec.mounts.push({ destination: SHARED, type: "bind", source: fixture.folder, options: ["bind"] });
      spec.hooks = { startContainer: [failing] };
    });
    assert.is.not(fixture.reg("run", "--bundle", bundle.path, fixture.id()).status, 0);
    assert.not(existsSync(fixture.path("program")));
    fixture.assertNothingLeft();
  }));

test("a failing poststop hook does not keep the container", () =>
  withFixture((fixture) => {
    const id = fixture.create(
      fixture.sleeper((spec) => {
        spec.hooks = { poststop: [failing, noting("poststop", fixture.folder, "/bin/sh")] };
      }),
    );
    fixture.succeed("delete", "--force", id);
    assert.equal(order(fixture), ["poststop"], "the hooks after the failing one run");
    fixture.assertNothingLeft();
  }));

test("a hook has the environment it is given and no other", () =>
  withFixture((fixture) => {
    const out = fixture.path("environment");
    const id = fixture.create(
      fixture.sleeper((spec) => {
        spec.hooks = {
          createRuntime: [{ path: "/usr/bin/env", args: ["env", "sh", "-c", `env > ${out}`], env: ["A=1"] }],
        };
      }),
    );
    const names = readFileSync(out, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    // PWD and _ are the shell's own.
    assert.equal(
      names.filter((name) => name !== "PWD" && name !== "_" && name !== "SHLVL" && name !== "OLDPWD"),
      ["A"],
    );
    fixture.succeed("delete", "--force", id);
  }));

test("no hook starts with a signal blocked, also when the runtime waits for signals", () =>
  withFixture((fixture) => {
    // Not by a shell: dash unblocks them.
    const mask = (name: HookName, folder: string): Hook => ({
      path: "/bin/cp",
      args: ["cp", "/proc/self/status", join(folder, name)],
    });
    const bundle = fixture.shell("true", withAllHooks(fixture, mask));
    const { status, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0, stderr);
    for (const name of ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"])
      assert.match(fixture.read(name), /^SigBlk:\t0{16}$/m, name);
  }));

test("a hook without an environment has its caller's, startContainer the program's", () =>
  withFixture((fixture) => {
    const note = (folder: string, name: HookName): Hook[] => [
      { path: "/bin/sh", args: ["sh", "-c", `echo $CALLER $CONTAINER $HOME > ${folder}/${name}`] },
    ];
    const outside: HookName[] = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
    const bundle = fixture.sleeper((spec) => {
      spec.mounts.push({ destination: SHARED, type: "bind", source: fixture.folder, options: ["bind"] });
      spec.process.env.push("CONTAINER=container");
      spec.hooks = { startContainer: note(SHARED, "startContainer") };
      for (const name of outside) spec.hooks[name] = note(fixture.folder, name);
    });
    const id = fixture.id();
    const env = { PATH: process.env.PATH, CALLER: "caller", REG_NATIVE: REG };
    const log = fixture.path("log");
    for (const runtime of [[REG], [process.execPath, join(TOP, "dist/runtime/main.js")]] as const) {
      const [program, ...first] = runtime;
      for (const args of [
        ["run", "--detach", "--bundle", bundle.path, id],
        ["delete", "--force", id],
      ]) {
        // The container keeps the descriptors: a pipe would not end before it.
        const { status } = spawnSync(program, [...first, "--root", fixture.root, "--log", log, ...args], {
          env,
          stdio: "ignore",
        });
        assert.is(status, 0, status === 0 ? "" : readFileSync(log, "utf8"));
      }
      assert.is(fixture.read("startContainer"), "container /\n", program);
      for (const name of outside) assert.is(fixture.read(name), "caller\n", `${program}: ${name}`);
    }
  }));

for (const name of ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"] as const)
  test(`when a ${name} hook fails, poststop runs, and finds nothing of the container but its state`, () =>
    withFixture((fixture) => {
      const shell = name === "startContainer" ? "/bin/busybox" : "/bin/sh";
      const bundle = fixture.sleeper((spec) => {
        const args = ["sh", "-c", `cat > ${fixture.path("poststop")}; pgrep -f ${fixture.mark}-x; true`];
        spec.hooks = { [name]: [{ ...failing, path: shell }], poststop: [{ path: "/bin/sh", args }] };
      });
      fixture.fail(/hook.*exit status 3/s, ["run", "--bundle", bundle.path, fixture.id()]);
      assert.is(JSON.parse(fixture.read("poststop")).status, "stopped");
      fixture.assertNothingLeft();
    }));

test("what fails before any hook has run ends without poststop", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper((spec) => {
      spec.mounts.push({ destination: "/mnt", type: "bind", source: "/nowhere", options: ["bind"] });
      const hook = { path: "/bin/sh", args: ["sh", "-c", `touch ${fixture.path("ran")}`] };
      spec.hooks = { createRuntime: [hook], poststop: [hook] };
    });
    fixture.fail("/nowhere", ["create", "--bundle", bundle.path, fixture.id()]);
    assert.not(existsSync(fixture.path("ran")));
  }));

test("a poststart hook that fails after the program has ended is told as what it is", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"], (spec) => {
      spec.hooks = { poststart: [{ path: "/bin/sh", args: ["sh", "-c", "sleep 0.2; echo the reason; exit 3"] }] };
    });
    const id = fixture.create(bundle);
    fixture.fail(/poststart hook.*exit status 3: the reason/, ["start", id]);
  }));

test("createContainer runs in the container's namespaces, createRuntime in the runtime's", () =>
  withFixture((fixture) => {
    const note = (name: string): Hook => ({
      path: "/bin/sh",
      args: ["sh", "-c", `readlink /proc/self/ns/mnt > ${join(fixture.folder, name)}`],
      env: ["PATH=/bin:/usr/bin"],
    });
    const id = fixture.create(
      fixture.sleeper((spec) => {
        spec.hooks = { createRuntime: [note("runtime")], createContainer: [note("container")] };
      }),
    );
    assert.is.not(fixture.read("runtime"), fixture.read("container"));
    fixture.succeed("delete", "--force", id);
  }));

hooks.run();
