/**
 * Cuts a stream of Redis' protocol, version 2, into whole commands or replies, however its bytes arrive. What
 * is in them is left alone.
 */
export class RespFrames {
  #left: Buffer = Buffer.alloc(0);

  /** The frames that are whole now. */
  add(bytes: Buffer): readonly Buffer[] {
    const all = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes]);
    const frames: Buffer[] = [];
    let from = 0;
    for (;;) {
      const end = endOfFrame(all, from);
      if (end === undefined) break;
      frames.push(all.subarray(from, end));
      from = end;
    }
    this.#left = all.subarray(from);
    return frames;
  }
}

const CRLF = "\r\n";

/** Where the frame ends that begins there; undefined where not all of it is there. */
function endOfFrame(bytes: Buffer, from: number): number | undefined {
  const lineEnd = bytes.indexOf(CRLF, from);
  if (lineEnd === -1) return undefined;
  const next = lineEnd + CRLF.length;
  const kind = String.fromCharCode(bytes[from] ?? 0);
  if (kind !== "$" && kind !== "*") return next;
  const length = Number(bytes.toString("latin1", from + 1, lineEnd));
  if (length < 0) return next;
  if (kind === "$") {
    const end = next + length + CRLF.length;
    return end <= bytes.length ? end : undefined;
  }
  let at: number | undefined = next;
  for (let count = 0; count < length && at !== undefined; count++) at = endOfFrame(bytes, at);
  return at;
}
