/** Who takes part in the benchmark, and how each is called. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BUILD, TOOLS, TOP } from "../paths.ts";
import { findPeers, newestPeer, type Peer } from "../peers.ts";

/** What a call is about. `{}` in the id stands for measure's run number. */
export interface Subject {
  readonly id: string;
  readonly bundle: string;
}

export type Verb = "create" | "start" | "state" | "kill" | "delete" | "run" | "run-detached" | "exec" | "list";

export interface Contender {
  /** What the user selects it by: "reg", "crun-1.28". */
  readonly name: string;
  readonly label: string;
  /** The folder that holds its containers' state. */
  readonly root: string;
  pidFile(id: string): string;
  /** undefined: this contender has no such command. */
  command(verb: Verb, subject: Subject): string[] | undefined;
  /** The contender that shares the root and starts many containers sooner. */
  readonly filler?: Contender;
}

/** Everyone at hand, and the newest crun, which the others are compared with. `work` is where states are kept. */
export function findContenders(work: string): { contenders: Contender[]; reference: Contender | undefined } {
  const reg = ociRuntime("reg", "reg", [join(BUILD, "reg")], join(work, "reg"));
  const contenders: Contender[] = [];
  if (existsSync(join(BUILD, "reg"))) contenders.push(reg);
  const main = join(TOP, "dist/runtime/main.js");
  if (existsSync(main)) {
    const node = ociRuntime("reg-node", "reg on Node", [process.execPath, main], reg.root);
    contenders.push(existsSync(join(BUILD, "reg")) ? { ...node, filler: reg } : node);
  }
  const peers = findPeers();
  for (const peer of peers) contenders.push(peerContender(peer, work));
  contenders.push(floor(work));
  const crun = newestPeer(peers, "crun");
  return { contenders, reference: contenders.find((contender) => crun && contender.name === peerName(crun)) };
}

const peerName = (peer: Peer) => `${peer.kind}-${peer.version}`;

function peerContender(peer: Peer, work: string): Contender {
  const name = peerName(peer);
  return ociRuntime(name, `${peer.kind} ${peer.version}`, [peer.path], join(work, name));
}

function ociRuntime(name: string, label: string, program: string[], root: string): Contender {
  const pidFile = (id: string) => join(`${root}.pids`, id);
  const command = (verb: Verb, { id, bundle }: Subject): string[] => {
    const call = [...program, "--root", root];
    switch (verb) {
      case "create":
        return [...call, "create", "--bundle", bundle, "--pid-file", pidFile(id), id];
      case "run":
        return [...call, "run", "--bundle", bundle, id];
      case "run-detached":
        return [...call, "run", "--detach", "--bundle", bundle, "--pid-file", pidFile(id), id];
      case "kill":
        return [...call, "kill", id, "KILL"];
      case "exec":
        return [...call, "exec", id, "/bin/true"];
      case "list":
        return [...call, "list"];
      default:
        return [...call, verb, id];
    }
  };
  return { name, label, root, pidFile, command };
}

/** The C program that does the same system calls and nothing else. It reads no config: its program is an argument. */
function floor(work: string): Contender {
  const root = join(work, "floor");
  const command = (verb: Verb, { id, bundle }: Subject): string[] | undefined => {
    if (verb === "list" || verb === "run-detached" || verb === "exec") return undefined;
    const call = [join(TOOLS, "floor"), root, verb, id];
    const program = bundle.endsWith("sleeping") ? ["/bin/sleep", "100000"] : ["/bin/true"];
    return verb === "run" || verb === "create" ? [...call, join(bundle, "rootfs"), ...program] : call;
  };
  return { name: "floor", label: "C floor", root, pidFile: (id) => join(root, id, "pid"), command };
}
