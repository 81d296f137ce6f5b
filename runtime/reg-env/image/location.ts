/**
 * Where an image is: a path, or a name behind the transport that has it, which the engine or skopeo(1) hands over as an archive.
 *
 *   PATH, oci:PATH, oci-archive:PATH, docker-archive:PATH
 *   podman:NAME, containers-storage:NAME      podman save
 *   containerd:NAME                           ctr images export; CONTAINERD_NAMESPACE and CONTAINERD_ADDRESS are ctr's
 *   docker-daemon:NAME                        docker save
 *   docker://REGISTRY/NAME                    skopeo copy, with its policy.json and signatures
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RegError } from "../../errors/errors.ts";
import { type Image, openImage } from "./open.ts";

const FILES = /^(?:oci|oci-archive|docker-archive):(.+)$/;

/** Calls `use` with the image, and removes what was fetched for it. */
export async function withImage<T>(
  location: string,
  digest: string | undefined,
  use: (image: Image) => Promise<T>,
): Promise<T> {
  const folder = fs.mkdtempSync(join(tmpdir(), "reg-env-image-"));
  try {
    const path = FILES.exec(location)?.[1] ?? fetchImage(location, join(folder, "image.tar")) ?? location;
    const image = openImage(path, digest);
    try {
      return await use(image);
    } finally {
      image.close();
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Has the program that knows the transport write an archive; undefined for a path. */
function fetchImage(location: string, archive: string): string | undefined {
  const [, transport = "", name = ""] =
    /^(podman|containers-storage|containerd|docker-daemon|docker):(.+)$/.exec(location) ?? [];
  const commands: Readonly<Record<string, readonly string[]>> = {
    podman: ["podman", "save", "--format", "oci-archive", "--output", archive, name],
    "containers-storage": ["podman", "save", "--format", "oci-archive", "--output", archive, name],
    containerd: ["ctr", "images", "export", archive, name],
    "docker-daemon": ["docker", "save", "--output", archive, name],
    docker: ["skopeo", "copy", "--quiet", location, `oci-archive:${archive}`],
  };
  const command = commands[transport];
  if (command === undefined) return undefined;
  const [program = "", ...args] = command;
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return archive;
  const said = error === undefined ? stderr.trim().split("\n").at(-1) : error.message;
  throw new RegError("EIO", `${command.join(" ")}: ${said}`, {
    hint:
      transport === "docker"
        ? "Debian's package skopeo fetches from registries"
        : "the engine has to be installed, and to have the image",
  });
}
