/** What `checkpoint` and `restore` have in common: their options, and what of them CRIU is told. */
import { host } from "#host";
import { EEXIST, ENOENT, ENOTDIR } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, mkdirAll, open, readText, statIfExists } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { lastLines } from "../../linux/criu/criu.ts";
import { CGROUP_MODES, NETWORK_LOCKS, type Options, type Response } from "../../linux/criu/rpc.ts";

export type CgroupMode = keyof typeof CGROUP_MODES;
export type NetworkLock = keyof typeof NETWORK_LOCKS;

/** Options of CRIU's that both commands have. */
export interface CriuOptions {
  /** The program; absent: the first `criu` in $PATH. */
  readonly criu?: string;
  /** Directory of the checkpoint's files. */
  readonly imagePath: string;
  /** Directory for the log and other files that nobody needs afterwards; the checkpoint's, if absent. */
  readonly workPath?: string;
  readonly tcpEstablished?: boolean;
  readonly tcpClose?: boolean;
  readonly externalUnixSockets?: boolean;
  readonly shellJob?: boolean;
  readonly fileLocks?: boolean;
  readonly lazyPages?: boolean;
  readonly autoDedup?: boolean;
  /** "soft" if absent. */
  readonly manageCgroupsMode?: CgroupMode;
  readonly networkLock?: NetworkLock;
}

const LOG_LEVEL = 4;

/** The options that do not depend on what is done. `annotations` are the container's. */
export function commonOptions(options: CriuOptions, annotations: Readonly<Record<string, string>>): Options {
  const { networkLock } = options;
  const configFile = criuConfig(annotations);
  return {
    logLevel: LOG_LEVEL,
    notifyScripts: true,
    tcpEstablished: options.tcpEstablished ?? false,
    tcpClose: options.tcpClose ?? false,
    externalUnixSockets: options.externalUnixSockets ?? false,
    shellJob: options.shellJob ?? false,
    fileLocks: options.fileLocks ?? false,
    lazyPages: options.lazyPages ?? false,
    autoDedup: options.autoDedup ?? false,
    manageCgroups: true,
    manageCgroupsMode: CGROUP_MODES[options.manageCgroupsMode ?? "soft"],
    ...(networkLock === undefined ? {} : { networkLock: NETWORK_LOCKS[networkLock] }),
    // The devices and addresses of a network namespace are the business of those who made them, as the hooks of an engine.
    emptyNamespaces: C.CLONE_NEWNET,
    orphanPtsMaster: true,
    ...(configFile === "" ? {} : { configFile }),
  };
}

/** Of a container, or of all. CRIU passes over one that is not there, and lets it overrule what it is told here. */
function criuConfig(annotations: Readonly<Record<string, string>>): string {
  const own = "/etc/criu/reg.conf";
  return annotations["org.criu.config"] ?? (statIfExists(own) === undefined ? "/etc/criu/runc.conf" : own);
}

/** Open directories, and where the log is. */
export interface CriuDirectories {
  readonly images: number;
  readonly work: number;
  readonly logPath: string;
  readonly close: () => void;
}

/** Opens the directories; `make` makes that of the images too. */
export function openDirectories(options: CriuOptions, logFile: string, make: boolean): CriuDirectories {
  const { imagePath, workPath } = options;
  const images = openDirectory(imagePath, "--image-path", make);
  try {
    const work = workPath === undefined ? images : openDirectory(workPath, "--work-path", true);
    return {
      images,
      work,
      logPath: `${workPath ?? imagePath}/${logFile}`,
      close: () => {
        close(images);
        if (work !== images) close(work);
      },
    };
  } catch (error) {
    close(images);
    throw error;
  }
}

function openDirectory(path: string, option: string, make: boolean): number {
  try {
    if (make && libc.mkdirat(C.AT_FDCWD, path, 0o700) === -1 && host.errno() !== EEXIST) {
      const parent = path.replace(/\/+$/, "").replace(/[^/]*$/, "");
      if (parent !== "") mkdirAll(parent.replace(/(?!^)\/+$/, ""), 0o755);
      if (libc.mkdirat(C.AT_FDCWD, path, 0o700) === -1 && host.errno() !== EEXIST)
        throw new SyscallError("mkdirat(2)", path, host.errno());
    }
    return open(path, C.O_RDONLY | C.O_DIRECTORY);
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    const hint = isErrno(error, ENOENT, ENOTDIR) ? `${option} names the directory of a checkpoint` : undefined;
    throw new RegError(error.code, `${option}: ${error.message}`, { cause: error, ...(hint ? { hint } : {}) });
  }
}

/** What CRIU answered when it did not succeed, with the last errors of its log. */
export function refusal(
  what: string,
  response: Response,
  { work, logPath }: CriuDirectories,
  logFile: string,
): RegError {
  let log = "";
  try {
    log = readText(logFile, work);
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // it did not get as far as to write one
  }
  const said = lastLines(log) || response.errorMessage || (response.errno === 0 ? "it does not say why" : "");
  const number = response.errno === 0 ? "" : ` (errno ${response.errno})`;
  return new RegError("CRIU", `CRIU could not ${what}${number}: ${said}`, { hint: `its log is ${logPath}` });
}
