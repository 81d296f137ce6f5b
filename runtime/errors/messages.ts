/**
 * Texts that other programs match. containerd (checkKillError): "container not running", "does not exist"; Podman:
 * "operation not permitted", "executable file not found in", "no such file or directory". A test holds each of them.
 */
import { RegError } from "./errors.ts";

/** What somebody typed: on one line, and not all of it when there is no end to it. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}

export const doesNotExist = (id: string) => new RegError("ENOENT", `container "${id}" does not exist`);
export const alreadyExists = (id: string) =>
  new RegError("EEXIST", `container with given ID already exists: "${id}"`, {
    hint: `choose another id, or remove it: reg delete ${id}`,
  });
export const notRunning = () => new RegError("ESRCH", "container not running");
export const pauseNotRunning = (status: string) =>
  new RegError("EINVAL", "container not running", { hint: `it is ${status}` });
export const notPaused = () => new RegError("EINVAL", "container not paused");
export const execStopped = () => new RegError("ESRCH", "cannot exec in a stopped container");
export const execPaused = () =>
  new RegError("EBUSY", "cannot exec in a paused container (use --ignore-paused to override)");
export const alreadyRunning = () => new RegError("EBUSY", "cannot start an already running container");
export const startCreating = () =>
  new RegError("EBUSY", "cannot start a container in the creating state", {
    hint: "wait until reg create has returned",
  });
export const startStopped = () => new RegError("ESRCH", "cannot start a container that has stopped");
export const deleteRunning = (id: string, status: string) =>
  new RegError("EBUSY", `cannot delete container "${id}" that is not stopped: ${status}`, {
    hint: `stop it first (reg kill ${id} KILL), or use reg delete --force`,
  });
export const invalidId = (id: string) =>
  new RegError("EINVAL", `invalid container ID format: ${quoted(id)}`, {
    hint: "use 1 to 255 letters, digits and the characters _ + - . only; not . or ..",
  });
export const unknownSignal = (name: string) =>
  new RegError("EINVAL", `unknown signal ${quoted(name)}`, { hint: "a number up to 64, or a name such as TERM" });
export const ttyWithoutSocket = () =>
  new RegError("EINVAL", "cannot allocate tty if reg will detach without setting console socket", {
    field: "/process/terminal",
    hint: "give --console-socket, or set process.terminal to false",
  });
export const socketWithoutTty = () =>
  new RegError("EINVAL", "cannot use console socket if reg will not detach or allocate tty", {
    hint: "--console-socket goes with process.terminal true and a detached container",
  });
