/** What the man pages say beside the tables. Paragraphs are plain text. */

export interface Prose {
  readonly description: readonly string[];
  readonly examples?: readonly (readonly [what: string, line: string])[];
  readonly exitStatus?: string;
  readonly seeAlso?: readonly string[];
}

/** reg(8) itself. */
export const OVERVIEW: Prose = {
  description: [
    "reg runs containers as the OCI runtime specification describes them. A container comes from a bundle: a directory with the file config.json and, as a rule, a root filesystem. Engines such as containerd, Podman and Docker call reg as they call runc or crun; it takes the options of both.",
    "Options for all commands stand before the command, options of a command behind it. Long options may be given with one dash or two, their values as the next argument or after an equals sign. A double dash ends the options.",
    "A container is created, started, and deleted. What is between is the business of the programs in it. The state of a container is kept in a directory of its own below the root directory, and asked of the kernel wherever it can be.",
    "Instead of a root filesystem, config.json may name environments: the reg object, or annotations that begin with org.reg., have the root put together from files that all containers of the host share. The properties are environments (a list of name@version; the first wins where files collide), store (/var/lib/reg), domain (containers of different domains share nothing), writable (type none, tmpfs with a size, or directory with a path) and workdir (source, destination, readonly). As annotations: org.reg.environments=web@1,tls@1, org.reg.writable=tmpfs:64m, org.reg.workdir=.:/src:ro. reg-env(8) makes environments.",
    'Whom reg trusts: config.json, its reg object included, is the word of whoever calls reg, and may name any path of the host. Annotations may be copied by engines from images and pods: org.reg.environments of the default store and domain, and org.reg.writable=none, tmpfs or tmpfs:SIZE are taken as they are, all else needs the leave of the host. The file /etc/reg/reg.json gives it (or the one of --host-config), as a JSON object: {"annotations": {"domains": ["tenant-a"], "stores": ["/srv/reg"], "writableDirectory": true, "workdir": true}}. It has to belong to root (or the caller) and be writable by nobody else. Paths of annotations are paths in the bundle, and symbolic links do not lead out of it.',
  ],
  examples: [
    ["a bundle with a shell, and a container from it", "mkdir -p b/rootfs && reg spec --bundle b"],
    ["what would be done, and why", "reg plan --bundle b"],
    ["a container that is waited for", "reg run --bundle b web1"],
  ],
  exitStatus:
    "0 when the command has done what it was asked for, 1 when it has failed. The command run, in the foreground, ends with the status of the container's process, or with 128 and the number of the signal that ended it.",
};

/** The shim: nobody calls it but containerd. */
export const SHIM: Prose = {
  description: [
    "containerd keeps a process, called shim, for each pod, and starts it when it makes the pod. This one is reg by another name: it makes the containers itself, and keeps all of a pod in one process with one thread. Nobody but containerd calls it; it finds it in its PATH by the name of the runtime, io.containerd.reg.v2, or by runtime_path in its configuration.",
    "Options are runc's: NoPivotRoot, NoNewKeyring, ShimCgroup, IoUid, IoGid, Root and SystemdCgroup. containerd passes them when the runtime's type is io.containerd.runc.v2 and runtime_path names this program, or as TOML where a runtime has a ConfigPath.",
    "The service of containerd needs KillMode=process, as it has with runc. The program may be replaced while containers run: shims that run go on as they are.",
    "The states of the containers are below the root directory of the namespace, as runc's are, so that reg --root /run/containerd/runc/NAMESPACE list shows them.",
  ],
  examples: [
    ["one container", "ctr run --rm --runtime io.containerd.reg.v2 docker.io/library/busybox:latest web echo hello"],
    ["its containers", "reg --root /run/containerd/runc/default list"],
  ],
};

export const COMMAND_PROSE: Readonly<Record<string, Prose>> = {
  create: {
    description: [
      "Makes a container from a bundle: its cgroup, namespaces, mounts and devices. When the command returns, the container's process waits, with everything in place, for reg start to let it run the user's program. If a step fails, all that was made is taken back.",
      "Standard input, output and error of the command become those of the container. When config.json asks for a terminal, --console-socket is needed: the socket receives the descriptor of the terminal's master.",
    ],
    examples: [["create and start", "reg create --bundle /srv/web --pid-file /run/web1.pid web1 && reg start web1"]],
    seeAlso: ["start", "run", "plan", "delete"],
  },
  start: {
    description: [
      "Lets a container that was created run its program. Returns when the program has been executed, and fails with the reason when it could not be.",
    ],
    seeAlso: ["create", "run"],
  },
  run: {
    description: [
      "Creates a container and starts it. In the foreground the command stays until the container's process has ended, passes signals and the terminal on to it, and deletes the container. With --detach it returns when the process has started.",
    ],
    examples: [["a container in the background", "reg run --detach --bundle /srv/web web1"]],
    exitStatus:
      "In the foreground, the status of the container's process, or 128 and the number of the signal that ended it; 1 when reg has failed.",
    seeAlso: ["create", "start"],
  },
  state: {
    description: [
      "Prints the state of a container as JSON: its id, the id of its process, its bundle, root filesystem and annotations, when it was made, and its status, which is one of creating, created, running, paused and stopped.",
    ],
    seeAlso: ["list"],
  },
  kill: {
    description: [
      "Sends a signal to the process of a container. The signal is a number, or a name with or without SIG, in any case; the default is TERM. It goes through a descriptor of the process, so it cannot reach another one that has got the same id since.",
    ],
    examples: [["end a container at once", "reg kill web1 KILL"]],
    seeAlso: ["delete"],
  },
  delete: {
    description: [
      "Removes what reg create has made: the cgroup, the state directory, and whatever processes were left; then runs the poststop hooks. The container has to be stopped, or created and never started. With --force, a container that runs is killed first, and a container that does not exist is no error.",
    ],
    seeAlso: ["kill"],
  },
  exec: {
    description: [
      "Runs another process in a container. It joins the container's namespaces and cgroup, and has the capabilities, environment and limits that config.json gives the container's own process, unless options or a file with --process say otherwise. What follows the id is the program and its arguments, whatever it looks like.",
      "In the foreground the command stays until the process has ended, and passes signals and the terminal on to it.",
    ],
    examples: [["a shell in a container", "reg exec --tty web1 sh"]],
    exitStatus:
      "In the foreground, the status of the process, or 128 and the number of the signal that ended it; 255 when reg has failed.",
    seeAlso: ["run"],
  },
  ps: {
    description: ["Lists the processes of a container, as ps(1) shows them or as an array of their ids in JSON."],
    seeAlso: ["state"],
  },
  pause: {
    description: [
      "Stops all processes of a container where they are, by the freezer of its cgroup. They notice nothing of it, and go on with reg resume.",
    ],
  },
  resume: { description: ["Lets the processes of a paused container go on."] },
  checkpoint: {
    description: [
      "Saves the processes of a running container to files in a directory, with their memory, open files, terminals and what is in the container's own filesystems in memory; then removes the container, unless --leave-running or --pre-dump is given. The work is done by CRIU, which has to be installed (3.15 or newer). The container's root filesystem and what is mounted from the host are not saved: reg restore takes them as they are then. When CRIU refuses, the container goes on as before, and the message has the end of CRIU's log.",
      "TCP connections, locks on files and unix sockets that lead out of the container need their options, here and in reg restore. Of a network namespace nothing is saved: engines set it up again, and reg makes one with the loopback interface, as for a new container. The file /etc/criu/reg.conf, or else /etc/criu/runc.conf, or the one that the annotation org.criu.config names, may overrule options.",
      "With --pre-dump, and then --parent-path, a container is stopped for a shorter time: what has been saved before is not saved again. With --lazy-pages memory stays where it is, and is fetched from the --page-server when the restored processes use it.",
    ],
    examples: [
      ["save a container, and let it go on", "reg checkpoint --leave-running --image-path /srv/web.1 web1"],
      [
        "in two steps",
        "reg checkpoint --pre-dump --image-path /srv/web.1 web1 && reg checkpoint --image-path /srv/web.2 --parent-path ../web.1 web1",
      ],
    ],
    seeAlso: ["restore", "pause"],
  },
  restore: {
    description: [
      "Makes a container from a bundle, as reg create does, but in place of starting its program lets the processes go on that reg checkpoint, runc or crun have saved, by CRIU. The bundle is that of the container that was saved, or one whose config.json has the same mounts; pids inside are the same, the id of the container may be another. Hooks run as far as they make the container: prestart and createRuntime, and poststop at the end.",
      "What the container had as standard input, output and error takes its place from those of the command; for a file, it has to have the size that it had. A container with a terminal needs --console-socket, or stays in the foreground.",
    ],
    examples: [["go on", "reg restore --detach --bundle /srv/web --image-path /srv/web.1 web1"]],
    exitStatus:
      "In the foreground, the status of the container's process, or 128 and the number of the signal that ended it; 1 when reg has failed, after which nothing of the container is left.",
    seeAlso: ["checkpoint", "create"],
  },
  update: {
    description: [
      "Changes the resource limits of a container that exists: those that options name, or those of a document of the form of linux.resources in config.json, which is read from a file or, with a dash for its name, from standard input. Other limits stay; so does the access to devices, whatever the document says of it.",
    ],
    examples: [["twice the memory", "reg update --memory 512m web1"]],
  },
  events: {
    description: [
      "Prints statistics of a container's resources as JSON, one object a line, at intervals, and a line when the kernel had to kill a process because memory was short. With --stats it prints one object and ends.",
    ],
  },
  list: {
    description: [
      "Lists the containers below the root directory: as a table, as an array of states in JSON, or only their ids.",
    ],
    seeAlso: ["state"],
  },
  spec: {
    description: [
      "Writes a config.json that runs a shell in namespaces of its own, with few capabilities and a read-only root filesystem. It is meant to be edited. A file that exists is never replaced.",
    ],
    examples: [["a bundle in this directory", "mkdir rootfs && reg spec"]],
    seeAlso: ["create", "plan"],
  },
  plan: {
    description: [
      "Reads and checks a bundle as reg create does, and shows what would be done, in the order of execution: cgroups, namespaces, mounts with their options, devices, limits, hooks, hidden and read-only paths, the process with its capabilities. Beside each step stands the field of config.json that asks for it. Nothing is changed, and no privileges are needed.",
      "As JSON, the property stages has the steps in words, and the property plan the data that reg works with.",
    ],
    examples: [
      [
        "all that /mounts asks for",
        'reg plan --format json | jq \'.stages[].steps[] | select(.field // "" | startswith("/mounts"))\'',
      ],
    ],
    seeAlso: ["create", "spec"],
  },
  features: {
    description: [
      "Prints as JSON what this runtime supports: versions of the specification, hooks, mount options, namespaces, capabilities and so on, in the form of the specification's features document.",
    ],
  },
  completion: {
    description: ["Prints a script that makes a shell complete commands, options, files and the ids of containers."],
    examples: [
      ["in ~/.bashrc", "source <(reg completion bash)"],
      ["for fish", "reg completion fish | source"],
    ],
  },
  help: { description: ["Explains a command, as COMMAND --help does; without one, lists all of them."] },
};
