/** The test image: busybox, three files in /etc, and a user. Written as a docker-archive, which podman, containerd and docker all load. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../testing.ts";
import { IMAGE } from "./caller.ts";

export interface Image {
  readonly archive: string;
  readonly rootfs: string;
}

/** Makes the root filesystem and the archive below `folder`. */
export function makeImage(folder: string): Image {
  const rootfs = join(folder, "rootfs");
  makeRootfs(rootfs);
  const layout = join(folder, "image");
  mkdirSync(layout);
  execFileSync("tar", [
    "--create",
    "--numeric-owner",
    `--file=${join(layout, "layer.tar")}`,
    "--directory",
    rootfs,
    ".",
  ]);
  const digest = createHash("sha256")
    .update(readFileSync(join(layout, "layer.tar")))
    .digest("hex");
  const config = {
    architecture: { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch,
    os: "linux",
    config: { Env: ["PATH=/sbin:/bin", "FROM_IMAGE=yes"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
    history: [{ created_by: "conformance" }],
  };
  writeFileSync(join(layout, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [IMAGE], Layers: ["layer.tar"] }];
  writeFileSync(join(layout, "manifest.json"), JSON.stringify(manifest));
  const archive = join(folder, "image.tar");
  execFileSync("tar", [
    "--create",
    `--file=${archive}`,
    "--directory",
    layout,
    "manifest.json",
    "config.json",
    "layer.tar",
  ]);
  return { archive, rootfs };
}

function makeRootfs(rootfs: string): void {
  for (const name of ["bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "root", "var", "home/someone"])
    mkdirSync(join(rootfs, name), { recursive: true });
  chmodSync(join(rootfs, "tmp"), 0o1777);
  const busybox = join(rootfs, "bin/busybox");
  const source = findProgram("busybox");
  if (source === undefined) throw new Error("busybox is missing");
  copyFileSync(source, busybox);
  chmodSync(busybox, 0o755);
  for (const applet of execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n"))
    if (applet !== "busybox") symlinkSync("busybox", join(rootfs, "bin", applet));
  writeFileSync(
    join(rootfs, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nsomeone:x:1000:1000::/home/someone:/bin/sh\n",
  );
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\nsomeone:x:1000:\nextra:x:2000:someone\n");
  writeFileSync(join(rootfs, "etc/hosts"), "");
}
