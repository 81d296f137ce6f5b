/** Who may not mount can do it as root of a user namespace, with one id, which owns all that is written there. */
export function isMapped(): boolean {
  return process.geteuid?.() !== 0;
}

/** unshare(1) with a mount namespace of its own, behind which a command follows. */
export function unshareMounts(): string[] {
  return ["unshare", ...(isMapped() ? ["--user", "--map-root-user"] : []), "--mount", "--propagation", "private"];
}
