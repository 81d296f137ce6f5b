/** From the options of the command line to CRIU's. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CLONE_NEWNET } from "../../libc/constants.ts";
import { type CriuOptions, commonOptions } from "./options.ts";

const options = suite("options for CRIU");

const of = (given: Partial<CriuOptions>, annotations: Record<string, string> = {}) =>
  commonOptions({ imagePath: "/images", ...given }, annotations);

options("nothing is allowed that was not asked for, and cgroups are managed softly", () => {
  const { configFile, ...plain } = of({});
  assert.equal(plain, {
    logLevel: 4,
    notifyScripts: true,
    tcpEstablished: false,
    tcpClose: false,
    externalUnixSockets: false,
    shellJob: false,
    fileLocks: false,
    lazyPages: false,
    autoDedup: false,
    manageCgroups: true,
    manageCgroupsMode: 3,
    emptyNamespaces: CLONE_NEWNET,
    orphanPtsMaster: true,
  });
  assert.match(configFile ?? "", /^\/etc\/criu\/(reg|runc)\.conf$/);
});

const SWITCHES = [
  "tcpEstablished",
  "tcpClose",
  "externalUnixSockets",
  "shellJob",
  "fileLocks",
  "lazyPages",
  "autoDedup",
] as const;
for (const name of SWITCHES)
  options(`${name} is passed on, alone`, () => {
    const [before, after] = [of({}), of({ [name]: true })];
    assert.equal(after, { ...before, [name]: true });
  });

const MODES = { ignore: 0, none: 1, props: 2, soft: 3, full: 4, strict: 5 } as const;
for (const [mode, number] of Object.entries(MODES))
  options(`--manage-cgroups-mode ${mode}`, () =>
    assert.is(of({ manageCgroupsMode: mode as keyof typeof MODES }).manageCgroupsMode, number),
  );

options("--network-lock", () => {
  assert.is(of({}).networkLock, undefined);
  assert.is(of({ networkLock: "nftables" }).networkLock, 2);
  assert.is(of({ networkLock: "skip" }).networkLock, 3);
});

options("an annotation names CRIU's configuration file, or none", () => {
  assert.is(of({}, { "org.criu.config": "/srv/criu.conf" }).configFile, "/srv/criu.conf");
  assert.is(of({}, { "org.criu.config": "" }).configFile, undefined);
});

options.run();
