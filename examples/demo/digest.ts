import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

export interface Digest {
  readonly sha256: string;
  readonly bytes: number;
  readonly gzipBytes: number;
}

/**
 * Reads a file once, piece by piece, and tells its SHA-256 and how small gzip makes it. However large the file
 * is, only a few pieces of it are in memory.
 * @throws the reason of `signal` as the cause of an AbortError, or what the file system says
 */
export async function digest(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  let bytes = 0;
  let gzipBytes = 0;
  await pipeline(
    createReadStream(path),
    async function* (pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        hash.update(piece);
        bytes += piece.length;
        yield piece;
      }
    },
    createGzip(),
    async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) gzipBytes += piece.length;
    },
    { signal },
  );
  return { sha256: hash.digest("hex"), bytes, gzipBytes };
}
