/**
 * What the callers do in a virtual machine under systemd, on cgroup v2 alone, whose processor is emulated: twenty to thirty times slower than
 * this one. So of each list those cases are taken that cgroups, systemd, the kernel or the user can change; the others are left out by name.
 */
import type { Caller } from "./caller.ts";
import { containerdShimSystemd, containerdSystemd } from "./containerd.ts";
import { criShimSystemd, criSystemd } from "./cri.ts";
import { dockerShimSystemd, dockerSystemd } from "./docker.ts";
import { podman, podmanSystemd, podmanUser, podmanUserCgroupfs } from "./podman.ts";

/** How much longer everything may take than on a machine with a processor of its own. */
export const SLOWNESS = 8;

/**
 * A caller, and the cases of its list that are run when all are too many: a container of Podman takes 8 s, a checkpoint and its restore 35 s. Of Docker's
 * checkpoints there is the one that Docker 28 restores; with reg's shim it is the one after which the container goes on.
 */
// biome-ignore format: one caller, one line
export const MACHINE: ReadonlyMap<Caller, RegExp> = new Map([
  [podmanSystemd, /^(pod|systemd):|^run: output$|^limit: (memory|memory is enforced|pids|cpus)$|^security: device that|^exec: in the|^life: (pause|update)|^namespace: cgroup|^checkpoint: (restore|export, import under|open)/],
  [podman, /^run: output$|^limit: memory$|^exec: in the|^life: (pause|update)|^checkpoint: restore/],
  [podmanUser, /^pod: containers|^systemd: health|^run: (output|user by name)$|^limit: memory$|^exec: in the|^life: (pause|update)|^mount: volume$/],
  [podmanUserCgroupfs, /^run: output$|^limit: memory$|^exec: in the|^life: pause/],
  [containerdSystemd, /^run: output$|^limit: (memory|memory is enforced|cpus)$|^security: device|^task: (exec|pause, resume|metrics|update|rm -f while paused)$|^checkpoint:/],
  [containerdShimSystemd, /^run: output$|^limit: (memory|memory is enforced|cpus)$|^task: (exec|pause, resume|metrics|update)$|^checkpoint: restore/],
  [criSystemd, /^limit: memory|^checkpoint: restore/],
  [criShimSystemd, /^limit: (memory|killed)/],
  [dockerSystemd, /^run: (output|exit status 3)$|^limit: (memory|killed|pids|cpus|cgroup)|^security: device that|^exec: output|^life: (pause|update)|^checkpoint: start from it, in/],
  [dockerShimSystemd, /^run: output$|^limit: (memory|killed|pids)|^exec: output|^life: (pause|update)|^checkpoint: leave/],
]);
