/**
 * Serves an image's manifest, as a registry does: `node registry.js PORT FILE TYPE`. For callers that ask for it although they have the image.
 * Source: OCI distribution specification, "Pulling manifests".
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const [port = "", file = "", type = ""] = process.argv.slice(2);
const manifest = readFileSync(file);
const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;

createServer(({ url = "", method }, response) => {
  if (url !== "/v2/" && !url.endsWith(`/manifests/${digest}`)) {
    response.writeHead(404).end();
    return;
  }
  const body = url === "/v2/" ? Buffer.from("{}") : manifest;
  response.writeHead(200, {
    "content-type": url === "/v2/" ? "application/json" : type,
    "content-length": body.length,
    "docker-content-digest": digest,
  });
  response.end(method === "HEAD" ? undefined : body);
}).listen(Number(port), "127.0.0.1");
