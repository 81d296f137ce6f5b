/**
 * A small client of the Container Runtime Interface, as the kubelet is one: `node cri-client.js PROTO SOCKET DIRECTORY VERB ARGUMENT...`
 *
 *   pod NAME [JSON]            RunPodSandbox; the JSON is merged into its configuration. Prints the id.
 *   create POD NAME JSON       CreateContainer with what the JSON says: {"command": [...], ...}. Prints the id.
 *   run POD NAME JSON          the same, and StartContainer
 *   pod-of NAME COUNT          a pod, and so many containers that sleep in it. Prints the pod's id.
 *   exec [-t SECONDS] ID COMMAND...   ExecSync; output and exit status are the command's, 124 when it took too long
 *   wait ID                    until the container has ended. Prints exit status and reason.
 *   call METHOD JSON [PATH]    any method; prints the answer, or what is at a path such as status.state
 *
 * Configurations of pods are kept in DIRECTORY. Source: k8s.io/cri-api, pkg/apis/runtime/v1/api.proto.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { credentials, type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { IMAGE } from "./caller.ts";

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json | undefined;
}
type Method = (
  request: JsonObject,
  answered: (error: Error | null, answer?: JsonObject & { stdout?: Buffer; stderr?: Buffer }) => void,
) => void;

const [proto = "", socket = "", directory = "", verb = "", ...args] = process.argv.slice(2);
const DEADLINE_MS = 50_000;

const definition = loadSync(proto, { keepCase: true, enums: String, longs: Number, defaults: true });
const { runtime } = loadPackageDefinition(definition);
const Service = ((runtime as GrpcObject).v1 as GrpcObject).RuntimeService as ServiceClientConstructor;
const client = new Service(`unix://${socket}`, credentials.createInsecure()) as unknown as Record<string, Method>;

function call(method: string, request: JsonObject) {
  return new Promise<JsonObject & { stdout?: Buffer; stderr?: Buffer }>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${method}: no answer in ${DEADLINE_MS} ms`)), DEADLINE_MS);
    client[method]?.call(client, request, (error, answer) => {
      clearTimeout(timer);
      if (error === null) resolve(answer ?? {});
      else reject(new Error(`${method}: ${error.message}`));
    });
  });
}

/** Objects of `more` are merged into those of `base`, everything else takes its place. */
function merge(base: JsonObject, more: JsonObject): JsonObject {
  const isObject = (value: Json | undefined): value is JsonObject =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const merged: Record<string, Json | undefined> = { ...base };
  for (const [key, value] of Object.entries(more)) {
    const present = merged[key];
    merged[key] = isObject(present) && isObject(value) ? merge(present, value) : value;
  }
  return merged;
}

async function runPod(name: string, more: JsonObject): Promise<string> {
  const config = merge(
    {
      metadata: { name, uid: name, namespace: "default", attempt: 0 },
      hostname: name,
      log_directory: join(directory, "logs", name),
      linux: {
        cgroup_parent: process.env.CGROUP_PARENT ?? "",
        security_context: { namespace_options: { pid: "CONTAINER" } },
      },
    },
    more,
  );
  const handler = process.env.HANDLER ?? "given";
  const { pod_sandbox_id: id } = await call("RunPodSandbox", { config, runtime_handler: handler });
  writeFileSync(join(directory, `pod-${id}.json`), JSON.stringify(config));
  return String(id);
}

async function createContainer(pod: string, name: string, more: JsonObject): Promise<string> {
  const sandbox = JSON.parse(readFileSync(join(directory, `pod-${pod}.json`), "utf8")) as JsonObject;
  const { namespace_options = {} } =
    ((sandbox.linux as JsonObject).security_context as { namespace_options?: JsonObject }) ?? {};
  const config = merge(
    {
      metadata: { name, attempt: 0 },
      image: { image: IMAGE },
      log_path: `${name}.log`,
      linux: { resources: {}, security_context: { namespace_options, seccomp: { profile_type: "RuntimeDefault" } } },
    },
    more,
  );
  const { container_id: id } = await call("CreateContainer", { pod_sandbox_id: pod, config, sandbox_config: sandbox });
  return String(id);
}

async function waitFor(id: string): Promise<string> {
  for (;;) {
    const { status } = (await call("ContainerStatus", { container_id: id })) as { status?: JsonObject };
    if (status?.state === "CONTAINER_EXITED") return `${status.exit_code} ${status.reason}`;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function atPath(value: Json | undefined, path: string): Json | undefined {
  return path
    .split(".")
    .reduce<Json | undefined>((found, key) => (found as Record<string, Json> | undefined)?.[key], value);
}

async function main(): Promise<number> {
  const parse = (text = "{}") => JSON.parse(text) as JsonObject;
  const [first = "", second = "", third] = args;
  switch (verb) {
    case "pod":
      console.log(await runPod(first, parse(args[1])));
      return 0;
    case "create":
      console.log(await createContainer(first, second, parse(third)));
      return 0;
    case "run": {
      const id = await createContainer(first, second, parse(third));
      await call("StartContainer", { container_id: id });
      console.log(id);
      return 0;
    }
    case "pod-of": {
      const pod = await runPod(first, {});
      for (let count = 0; count < Number(second); count++) {
        const id = await createContainer(pod, `c${count}`, { command: ["sleep", "1000"] });
        await call("StartContainer", { container_id: id });
      }
      console.log(pod);
      return 0;
    }
    case "exec": {
      const limited = first === "-t";
      const [id = "", ...cmd] = limited ? args.slice(2) : args;
      const request = { container_id: id, cmd, timeout: limited ? Number(second) : 0 };
      const { stdout, stderr, exit_code } = await call("ExecSync", request);
      process.stdout.write(stdout ?? "");
      process.stderr.write(stderr ?? "");
      return Number(exit_code);
    }
    case "wait":
      console.log(await waitFor(first));
      return 0;
    case "call": {
      const answer = await call(first, parse(second));
      const value = third === undefined ? answer : atPath(answer, third);
      console.log(typeof value === "string" ? value : JSON.stringify(value));
      return 0;
    }
    default:
      throw new Error(`no verb ${verb}`);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const { message } = error as Error;
  console.error(message);
  process.exitCode = message.includes("DEADLINE_EXCEEDED") || message.includes("timeout") ? 124 : 1;
}
(client as unknown as { close(): void }).close();
