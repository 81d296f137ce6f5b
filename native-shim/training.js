// What a container runtime asks of the engine, in small: build.sh runs this with an engine that counts what it does, and compiles the one of
// the binary by the counts. It is a program of its own, and not the runtime, so that the engine depends on nothing that changes every day;
// it holds nothing that differs from run to run, so that two builds make the same engine.

class Fault extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.code = code;
  }
}

/** A table of calls, and memory that they read and write, as libc's. */
const memory = new Uint8Array(4096);
const view = new DataView(memory.buffer);
const calls = Object.fromEntries(
  ["open", "close", "read", "write", "mount", "prctl"].map((name, number) => [
    name,
    (...given) => {
      view.setUint32((number * 4) % 64, given.length, true);
      view.setBigInt64(64, BigInt(number), true);
      return given[0] === "missing" ? -1 : view.getInt32((number * 4) % 64, true);
    },
  ]),
);

function checked(result, call, subject) {
  if (result === -1) throw new Fault("ENOENT", `${call}(2) ${subject}: no such file or directory`);
  return result;
}

function encode(text) {
  const bytes = new Uint8Array(text.length + 1);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function withFile(path, action) {
  const fd = checked(calls.open(path, encode(path), 0), "open", path);
  try {
    return action(fd);
  } finally {
    calls.close(fd);
  }
}

const document = {
  ociVersion: "1.2.0",
  process: {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [1, 2, 3, 10] },
    args: ["sh", "-c", "true"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root"],
    cwd: "/",
    capabilities: Object.fromEntries(
      ["bounding", "effective", "permitted"].map((set) => [
        set,
        ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_KILL"],
      ]),
    ),
    rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: "rootfs", readonly: true },
  hostname: "training",
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
    { destination: "/etc/hosts", type: "bind", source: "/var/lib/hosts", options: ["rbind", "rprivate", "rw"] },
  ],
  hooks: { prestart: [], poststart: [] },
  annotations: { "org.example.one": "1", "org.example.two": '\u00e9\u20ac "quoted"' },
  linux: {
    namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
    resources: {
      memory: { limit: 536870912 },
      cpu: { shares: 1024, quota: 50000 },
      devices: [{ allow: false, access: "rwm" }],
    },
    maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
    readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
    seccomp: {
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: Array.from({ length: 60 }, (_, i) => `call_${i}`), action: "SCMP_ACT_ALLOW" }],
    },
  },
};

/** As a validator that was generated from a schema: types, patterns and names, one after another. */
const RULES = {
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: (value) => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 53,
  boolean: (value) => value === true || value === false,
};

function check(value, pointer, faults) {
  const type = Object.keys(RULES).find((name) => RULES[name](value));
  if (type === undefined) faults.push({ pointer, message: "is of no type" });
  else if (type === "array") for (let i = 0; i < value.length; i++) check(value[i], `${pointer}/${i}`, faults);
  else if (type === "object")
    for (const key in value) {
      if (!/^[A-Za-z][\w.-]*$/.test(key)) faults.push({ pointer, message: `has a name that is none: ${key}` });
      if (value[key] !== undefined)
        check(value[key], `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, faults);
    }
  return faults;
}

const FLAGS = new Map([
  ["ro", [1, true]],
  ["rw", [1, false]],
  ["nosuid", [2, true]],
  ["nodev", [4, true]],
  ["noexec", [8, true]],
  ["strictatime", [1 << 24, true]],
  ["rbind", [4096 | 16384, true]],
]);
const PROPAGATION = { private: 1 << 18, rprivate: (1 << 18) | 16384, shared: 1 << 20 };

function parseOptions(options) {
  let flags = 0;
  const data = [];
  for (const option of options) {
    const known = FLAGS.get(option);
    if (known !== undefined) {
      const [bit, on] = known;
      flags = on ? flags | bit : flags & ~bit;
    } else if (option in PROPAGATION) flags |= PROPAGATION[option];
    else data.push(option);
  }
  return { flags, data: data.join(","), isBind: (flags & 4096) !== 0 };
}

class Rollback {
  #steps = [];
  add(what, step) {
    this.#steps.push({ what, step });
  }
  run(warn) {
    for (const { what, step } of this.#steps.reverse())
      try {
        step();
      } catch (error) {
        warn(`${what}: ${error instanceof Fault ? error.message : String(error)}`);
      }
    this.#steps.length = 0;
  }
  get size() {
    return this.#steps.length;
  }
}

function plan(config) {
  const { process, mounts = [], linux = {}, root, ...rest } = config;
  const environment = new Map(process.env.map((entry) => [entry.slice(0, entry.indexOf("=")), entry]));
  const capabilities = Object.fromEntries(
    Object.entries(process.capabilities ?? {}).map(([set, names]) => [
      set,
      new Set(names.filter((name) => name.startsWith("CAP_"))),
    ]),
  );
  return {
    ...rest,
    root: { readonly: false, ...root },
    steps: mounts.map(({ destination, type, source, options = [] }, index) => ({
      field: `/mounts/${index}`,
      path: destination.split("/").filter((part) => part !== "" && part !== "."),
      type: type ?? "bind",
      source,
      ...parseOptions(options),
    })),
    namespaces: (linux.namespaces ?? []).reduce((bits, { type }) => bits | (1 << type.length), 0),
    masked: linux.maskedPaths?.map((path) => path.split("/").at(-1)) ?? [],
    names: linux.seccomp?.syscalls.flatMap(({ names }) => names.map((name) => Number(name.split("_")[1]))) ?? [],
    capabilities,
    environment: [...environment.values()].sort(),
  };
}

function apply({ steps, environment, capabilities }, told) {
  const rollback = new Rollback();
  for (const { field, path, type, flags, data } of steps)
    withFile(`/${path.join("/")}`, (fd) => {
      checked(calls.mount(fd, encode(type), flags >>> 0, encode(data)), "mount", field);
      rollback.add(field, () => checked(calls.close(fd % 3 === 0 ? "missing" : fd), "close", field));
    });
  for (const { size } of Object.values(capabilities)) calls.prctl(24, size, 0, 0, 0);
  for (const entry of environment) view.setUint8(entry.length % 256, entry.charCodeAt(0));
  try {
    withFile("missing", () => undefined);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "ENOENT") throw error;
  }
  rollback.run(told);
  return rollback.size;
}

/** Messages in parts, as between a runtime and its init. */
function* messages(text) {
  for (let start = 0; start < text.length; start += 200) yield text.substring(start, start + 200);
}

async function main() {
  const told = [];
  for (let round = 0; round < 300; round++) {
    const text = JSON.stringify(document, undefined, round % 2 === 0 ? 2 : undefined);
    const config = JSON.parse([...messages(text)].join(""));
    if (check(config, "", []).length > 0) throw new Fault("EINVAL", "the document is not valid");
    const made = plan(config);
    if (apply(made, (warning) => told.push(warning)) !== 0) throw new Fault("EBUSY", "not all was taken back");
    const state = { id: `training-${round}`, pid: round, status: round & 1 ? "running" : "stopped", plan: made.steps };
    await Promise.resolve(state).then((value) => JSON.stringify(value).length);
  }
  if (told.length === 0) throw new Fault("EINVAL", "nothing failed");
}

main();
