/**
 * Asks containerd to change the limits of a task, which ctr can not do: node update-task.js SOCKET NAMESPACE ID RESOURCES, with RESOURCES as the
 * specification's linux.resources in JSON. Source: containerd's api/services/tasks/v1/tasks.proto, gRPC over HTTP/2.
 */
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";

const TYPE = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";

/** A field of a protocol buffer whose value is bytes. */
function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), variable(value.length), value]);
}

function variable(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

const [socket = "", namespace = "", id = "", resources = ""] = process.argv.slice(2);
const any = Buffer.concat([field(1, Buffer.from(TYPE)), field(2, Buffer.from(resources))]);
const message = Buffer.concat([field(1, Buffer.from(id)), field(2, any)]);
const frame = Buffer.alloc(5);
frame.writeUInt32BE(message.length, 1);

const session = connectHttp2("http://containerd", { createConnection: () => connect(socket) });
const request = session.request({
  ":method": "POST",
  ":path": "/containerd.services.tasks.v1.Tasks/Update",
  "content-type": "application/grpc",
  "containerd-namespace": namespace,
  te: "trailers",
});
let status = "no answer";
// An error has no body: then the status stands in the headers.
const read = (headers: Record<string, unknown>) => {
  if (headers["grpc-status"] === undefined) return;
  status = `${headers["grpc-status"]}`;
  if (status !== "0") console.error(`update: ${headers["grpc-message"] ?? status}`);
};
request.on("response", read);
request.on("trailers", read);
request.on("close", () => {
  session.close();
  process.exitCode = status === "0" ? 0 : 1;
});
request.resume();
request.end(Buffer.concat([frame, message]));
