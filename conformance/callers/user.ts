/** Users who call rootless engines, each with a session of systemd's. They are of a machine that is thrown away. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { User } from "./caller.ts";

const FIRST_ID = 2000;
const SESSION_TIMEOUT_MS = 60_000;
let count = 0;

/** Makes a user, to whom useradd gives ids of its own for user namespaces and whose home is there already, and waits for its session. */
export function addUser(name: string, home: string): User {
  const id = FIRST_ID + ++count;
  execFileSync("useradd", ["--uid", `${id}`, "--home-dir", home, "--no-create-home", "--shell", "/bin/sh", name]);
  execFileSync("loginctl", ["enable-linger", name]);
  const deadline = Date.now() + SESSION_TIMEOUT_MS;
  while (!existsSync(`/run/user/${id}/bus`)) {
    if (Date.now() > deadline) throw new Error(`${name} got no session`);
    spawnSync("sleep", ["0.2"]);
  }
  return { name, id, home };
}

/** Ends all that the user has running, and forgets it. */
export function removeUser({ name }: User): void {
  for (const [program, ...args] of [
    ["loginctl", "disable-linger", name],
    ["loginctl", "terminate-user", name],
    ["userdel", "--force", name],
  ] as const)
    spawnSync(program, args, { stdio: "ignore" }); // as far as it goes: the machine is thrown away
}
