/** `-info`: what containerd asks about a runtime before it makes containers with it. Source: containerd api/types/introspection.proto. */
import { host } from "#host";
import { EINVAL } from "../errors/errno.ts";
import { isErrno, readAll } from "../libc/file.ts";
import { decode, encode } from "../linux/protobuf.ts";
import { type FeaturesOptions, features } from "../oci/features.ts";
import { RUNTIME_INFO } from "./proto/bootstrap.ts";
import { ANY, type Any } from "./proto/common.ts";

const FEATURES = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

/** A RuntimeInfo. The options of standard input go back as they came. */
export function info(about: FeaturesOptions): Uint8Array {
  const options = readOptions();
  return encode(RUNTIME_INFO, {
    name: "io.containerd.reg.v2",
    version: { version: about.version, revision: about.commit ?? "" },
    ...(options === undefined ? {} : { options }),
    features: { typeUrl: FEATURES, value: host.encode(JSON.stringify(features(about))) },
  });
}

function readOptions(): Any | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readAll(0, "standard input");
  } catch (error) {
    if (isErrno(error, EINVAL)) return undefined; // a directory, or what else can not be read
    throw error;
  }
  return bytes.length === 0 ? undefined : decode(ANY, bytes);
}
