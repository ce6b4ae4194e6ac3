// @ts-check
// The work itself, in plain JavaScript: a thread imports this file as it is.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { gzipSync } from "node:zlib";
import { skipRetry } from "millrace/worker";

/**
 * @typedef {object} FilePayload
 * @property {string} path
 * @property {boolean} failOnce Chosen to show a retry.
 *
 * @typedef {object} Digest
 * @property {string} sha256
 * @property {number} bytes
 * @property {number} gzipBytes
 */

const PIECE_BYTES = 1_048_576;
const EMPTY = Buffer.alloc(0);

/**
 * Tells a file's SHA-256, and how small gzip makes it: work that keeps a core busy. Each piece of a megabyte is
 * compressed by itself, so that however large the file is, little of it is in memory, and an abort is heard
 * between two pieces.
 *
 * @param {FilePayload} payload
 * @param {import("millrace/worker").TaskContext} context
 * @returns {Promise<Digest>}
 */
export default async function digestFile({ path, failOnce }, { attempt, signal }) {
  if (failOnce && attempt === 1) throw new Error("Made to fail once, to show a retry");
  const hash = createHash("sha256");
  let bytes = 0;
  let gzipBytes = 0;
  /** @param {Buffer} piece */
  const take = (piece) => {
    hash.update(piece);
    bytes += piece.length;
    gzipBytes += gzipSync(piece).length;
  };
  try {
    for await (const piece of createReadStream(path, { highWaterMark: PIECE_BYTES, signal })) take(piece);
  } catch (error) {
    throw isLasting(error) ? skipRetry(error) : error;
  }
  if (bytes === 0) take(EMPTY);
  return { sha256: hash.digest("hex"), bytes, gzipBytes };
}

/**
 * A file that is gone or forbidden now will be so in the next attempt.
 * @param {unknown} error
 */
function isLasting(error) {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "EACCES" || code === "EPERM" || code === "ENOTDIR";
}
