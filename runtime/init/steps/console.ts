/** The container's terminal: made inside its own devpts, shown at /dev/console, its master handed to the runtime. */
import * as C from "../../libc/constants.ts";
import { close, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cloneTree, moveMount } from "../../libc/mount.ts";
import { fileInRoot } from "../../linux/path.ts";
import { adoptTerminal, openPseudoTerminal, setWindowSize, type WindowSize } from "../../linux/tty.ts";
import type { Birth } from "../enter.ts";

/** Makes the terminal and passes its master to `send`; this process gets the slave as its standard descriptors. */
export function openConsole(
  root: number,
  owner: { readonly uid: number; readonly gid: number },
  size: WindowSize | undefined,
  birth: Birth,
  send: (master: number) => void,
  bindConsole = true,
): void {
  const { master, slave } = openPseudoTerminal(root);
  if (size !== undefined) setWindowSize(master, size);
  withFd(master, send);
  if (bindConsole)
    withFd(fileInRoot(root, "/dev/console"), (target) =>
      withFd(cloneTree("", false, slave), (tree) => moveMount(tree, target, "/dev/console")),
    );
  if (owner.uid !== 0) libc.fchown(slave, owner.uid, C.UNCHANGED); // as login(1): the group stays devpts's gid option
  adoptTerminal(slave);
  birth.takeTerminal();
  close(slave);
}
