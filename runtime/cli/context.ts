/** From the global options to what commands work with: defaults, the root directory, who is calling. */
import { host } from "#host";
import { UsageError } from "../errors/errors.ts";
import { libc } from "../libc/libc.ts";
import { isInUserNamespace } from "../linux/user-namespace.ts";
import type { Context, GlobalValues, Registry } from "./command.ts";
import { type Level, Log } from "./log.ts";

function environment(name: string): string | undefined {
  return host.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The log that the global options ask for. Throws RegError when its file cannot be written. */
export function openLog(values: GlobalValues): Log {
  const level = (values.debug === true ? "debug" : values["log-level"]) as Level | undefined;
  return new Log({
    ...(values.log === undefined ? {} : { target: values.log }),
    format: values["log-format"] === "json" ? "json" : "text",
    ...(level === undefined ? {} : { level }),
  });
}

export function makeContext(values: GlobalValues, log: Log, registry: Registry): Context {
  const mapped = libc.geteuid() === 0 && isInUserNamespace();
  const rootless = values.rootless === "true" || (values.rootless !== "false" && (libc.geteuid() !== 0 || mapped));
  const systemd = values["systemd-cgroup"] === true;
  const manager = values["cgroup-manager"];
  if (systemd && manager !== undefined && manager !== "systemd")
    throw new UsageError(`--systemd-cgroup and --cgroup-manager ${manager} contradict each other`);
  return {
    registry,
    root: values.root ?? defaultRoot(mapped),
    rootless,
    cgroupManager: systemd ? "systemd" : ((manager as Context["cgroupManager"] | undefined) ?? "cgroupfs"),
    ...(values["host-config"] === undefined ? {} : { hostConfig: values["host-config"] }),
    ...(values.criu === undefined ? {} : { criu: values.criu }),
    warn: (message) => log.write("warning", message),
    ...(log.shows("debug") ? { debug: (message) => log.write("debug", message) } : {}),
  };
}

function defaultRoot(mapped: boolean): string {
  const directory = environment("XDG_RUNTIME_DIR");
  if (libc.geteuid() !== 0) return directory === undefined ? `/tmp/reg-${libc.geteuid()}` : `${directory}/reg`;
  // As runc: rootless Podman calls as root of a user namespace, on behalf of the user whose variables these are.
  return mapped && directory !== undefined && environment("USER") !== "root" ? `${directory}/reg` : "/run/reg";
}
