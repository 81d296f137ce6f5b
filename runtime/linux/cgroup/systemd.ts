/**
 * The systemd driver: a container's cgroup is a transient unit of systemd's. Source: org.freedesktop.systemd1(5),
 * systemd.resource-control(5), systemd's CGROUP_DELEGATION and TRANSIENT-SETTINGS documents.
 */
import { host } from "#host";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { libc } from "../../libc/libc.ts";
import { DbusConnection, DbusError } from "../dbus.ts";
import type { DbusValue } from "../dbus-marshalling.ts";
import type { SystemdDriver } from "./cgroup.ts";
import { readControl } from "./file.ts";
import type { UnitPlan, UnitProperty } from "./types.ts";

const MANAGER = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;

const JOB_REMOVED = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/** Properties that systemd before 244 does not know; cgroupfs sets the same, until systemd is told to reload. */
const RECENT = ["CPUQuotaPeriodUSec", "AllowedCPUs", "AllowedMemoryNodes"];

/** The driver; its connections are made when they are needed and last as long as the process. */
export function openSystemd(): SystemdDriver {
  const connections = new Map<boolean, DbusConnection>();
  const manager = (user: boolean): DbusConnection => {
    let connection = connections.get(user);
    if (connection === undefined) {
      connection = connect(user);
      connection.subscribe(JOB_REMOVED);
      connections.set(user, connection);
    }
    return connection;
  };
  return {
    start: (unit, pid) => startUnit(manager(unit.user), unit, pid),
    stop: (name, user) => stopUnit(manager(user), name),
    setProperties: (name, user, properties) => setProperties(manager(user), name, properties),
  };
}

function environment(name: string): string | undefined {
  return host.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The sockets to try: the bus, and systemd's own where no bus runs. */
function sockets(user: boolean): readonly (readonly [path: string, bus: boolean])[] {
  if (!user)
    return [
      ["/run/dbus/system_bus_socket", true],
      ["/run/systemd/private", false],
    ];
  const directory = environment("XDG_RUNTIME_DIR") ?? `/run/user/${libc.getuid()}`;
  const address = environment("DBUS_SESSION_BUS_ADDRESS") ?? "";
  const path = address.startsWith("unix:path=") ? address.slice("unix:path=".length).split(/[,;]/)[0] : undefined;
  return [
    [path ?? `${directory}/bus`, true],
    [`${directory}/systemd/private`, false],
  ];
}

function connect(user: boolean): DbusConnection {
  let first: unknown;
  for (const [path, bus] of sockets(user)) {
    try {
      return new DbusConnection(path, bus);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      first ??= error;
    }
  }
  throw new RegError("ENOENT", `systemd can not be reached: ${first instanceof Error ? first.message : ""}`, {
    cause: first,
    hint: user
      ? "log in with a session of systemd-logind, which starts dbus for the user, or use --cgroup-manager cgroupfs"
      : "is systemd running here? If not, use --cgroup-manager cgroupfs",
  });
}

type WireProperty = readonly [name: string, value: { readonly signature: string; readonly value: DbusValue }];

function encodeProperties(properties: readonly UnitProperty[], without: readonly string[] = []): WireProperty[] {
  return properties
    .filter(({ name }) => !without.includes(name))
    .map(({ name, signature, value }) => [
      name,
      { signature, value: name === "DeviceAllow" ? nameDeviceGroups(value as DeviceAllow) : value },
    ]);
}

type DeviceAllow = readonly (readonly [path: string, access: string])[];

/**
 * systemd takes all devices of a major number by the driver's name in /proc/devices: "/dev/char/136:*" is "char-pts".
 * Numbers without a driver have no device either, and are left out.
 */
function nameDeviceGroups(rules: DeviceAllow): DeviceAllow {
  if (!rules.some(([path]) => path.endsWith(":*"))) return rules;
  const names = new Map<string, string>();
  let kind = "char";
  for (const line of (readControl("/proc/devices") ?? "").split("\n")) {
    if (line.startsWith("Block")) kind = "block";
    const [major = "", name] = line.trim().split(" ");
    if (name !== undefined && !line.endsWith(":")) names.set(`/dev/${kind}/${major}:*`, `${kind}-${name}`);
  }
  return rules.flatMap(([path, access]) => {
    if (!path.endsWith(":*")) return [[path, access] as const];
    const name = names.get(path);
    return name === undefined ? [] : [[name, access] as const];
  });
}

/** Runs `attempt` again without the properties that an old systemd refuses. */
function withoutRecent(properties: readonly UnitProperty[], attempt: (wire: WireProperty[]) => void): void {
  try {
    attempt(encodeProperties(properties));
  } catch (error) {
    const unknown = error instanceof DbusError && /unknown property|not writable|PropertyReadOnly/i.test(error.message);
    if (!unknown || !properties.some(({ name }) => RECENT.includes(name))) throw error;
    attempt(encodeProperties(properties, RECENT));
  }
}

/** StartTransientUnit, until its job is done. Returns the unit's cgroup as systemd tells it. */
function startUnit(connection: DbusConnection, unit: UnitPlan, pid: number): string | undefined {
  const isScope = !unit.name.endsWith(".slice");
  const properties: readonly UnitProperty[] = isScope
    ? [{ name: "PIDs", signature: "au", value: [pid] }, ...unit.properties]
    : unit.properties;
  const start = () =>
    withoutRecent(properties, (wire) => {
      const values = [unit.name, "replace", wire, []];
      awaitJob(
        connection,
        { member: "StartTransientUnit", signature: "ssa(sv)a(sa(sv))", values },
        unit.name,
        "create",
      );
    });
  try {
    start();
  } catch (error) {
    if (!(error instanceof DbusError) || error.code !== "org.freedesktop.systemd1.UnitExists")
      throw explain(error, unit);
    if (!isScope) return undefined; // a slice may hold more than this container
    // A failed unit of the same name: systemd forgets it when told to, and only then takes a new one.
    resetFailed(connection, unit.name);
    try {
      start();
    } catch (again) {
      throw explain(again, unit);
    }
  }
  return unit.user ? controlGroup(connection, unit.name) : undefined;
}

function explain(error: unknown, unit: UnitPlan): unknown {
  if (!(error instanceof DbusError)) return error;
  const exists = error.code === "org.freedesktop.systemd1.UnitExists";
  const denied = error.code === "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
  return new RegError(error.code, `unable to start unit ${unit.name}: ${error.message}`, {
    field: "/linux/cgroupsPath",
    ...(exists ? { hint: `stop it first: systemctl stop ${unit.name}` } : {}),
    ...(denied
      ? { hint: "only root may start units of the system: use the user's own systemd (--rootless=true)" }
      : {}),
    cause: error,
  });
}

interface ManagerCall {
  readonly member: string;
  readonly signature: string;
  readonly values: readonly DbusValue[];
}

/** A call that returns a job; comes back when the job is done. Throws RegError when it ends in another way. */
function awaitJob(connection: DbusConnection, call: ManagerCall, name: string, verb: string): void {
  const [job] = connection.call({ ...MANAGER, ...call });
  // JobRemoved(id, job, unit, result)
  const [, , , result] = connection.waitForSignal("JobRemoved", (body) => body[1] === job);
  if (result === "done") return;
  resetFailed(connection, name);
  throw new RegError("EIO", `unable to ${verb} systemd unit ${name}: the job ended with "${String(result)}"`, {
    field: "/linux/cgroupsPath",
    hint: `journalctl --unit ${name} may tell more`,
  });
}

/** Stops a unit and forgets that it failed, as a container that was killed does. One that does not exist is fine. */
function stopUnit(connection: DbusConnection, name: string): void {
  try {
    awaitJob(connection, { member: "StopUnit", signature: "ss", values: [name, "replace"] }, name, "stop");
  } catch (error) {
    if (!(error instanceof DbusError) || error.code !== "org.freedesktop.systemd1.NoSuchUnit") throw error;
    return; // a scope goes with its last process, failed or not known any more
  }
  resetFailed(connection, name);
}

function resetFailed(connection: DbusConnection, name: string): void {
  try {
    connection.call({ ...MANAGER, member: "ResetFailedUnit", signature: "s", values: [name] });
  } catch (error) {
    if (!(error instanceof DbusError)) throw error; // not loaded: nothing failed
  }
}

function setProperties(connection: DbusConnection, name: string, properties: readonly UnitProperty[]): void {
  withoutRecent(properties, (wire) => {
    // true: until the next boot
    connection.call({ ...MANAGER, member: "SetUnitProperties", signature: "sba(sv)", values: [name, true, wire] });
  });
}

/** The unit's cgroup below the mountpoint, such as /user.slice/user-1000.slice/user@1000.service/user.slice/a.scope. */
function controlGroup(connection: DbusConnection, name: string): string | undefined {
  const [path] = connection.call({ ...MANAGER, member: "GetUnit", signature: "s", values: [name] });
  const type = name.endsWith(".slice") ? "Slice" : "Scope";
  const [value] = connection.call({
    destination: MANAGER.destination,
    path: String(path),
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    values: [`org.freedesktop.systemd1.${type}`, "ControlGroup"],
  });
  const text = typeof value === "object" && "signature" in value ? value.value : undefined;
  return typeof text === "string" && text !== "" ? text : undefined;
}
