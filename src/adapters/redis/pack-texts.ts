/** What the arguments of a script are made of. */
export type ScriptValue = string | number | Buffer;

/** The marks of MessagePack for a list and for texts, by the length that follows them. */
const LIST_32 = 0xdd;
const SHORT_TEXT = 0xa0;
const TEXT_8 = 0xd9;
const TEXT_16 = 0xda;
const TEXT_32 = 0xdb;

/** The header of a list, and the longest one of a text. */
const HEADER_BYTES = 5;

/** Of what is shorter, each unit is written by itself: that takes less time than one call out of V8. */
const SHORT = 32;

/**
 * A list of texts in MessagePack, which scripts read in one go: thousands of arguments by themselves cost
 * both sides several times as much. Each is written where it stays, once. Numbers become texts, as they do in
 * every command.
 */
export class PackedTexts {
  #bytes: Buffer;
  #at = HEADER_BYTES;
  #count = 0;

  /** @param bytes about how many it will have; it grows as it has to */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  }

  add(value: ScriptValue): void {
    if (typeof value === "string") this.#addText(value);
    else if (typeof value === "number") this.#addText(String(value));
    else this.addBytes(value.length, (bytes, at) => bytes.set(value, at));
  }

  /** A text of so many bytes that somebody else writes, at once, from `at` on. */
  addBytes(length: number, write: (bytes: Buffer, at: number) => void): void {
    this.#makeRoom(HEADER_BYTES + length);
    this.#addHeader(length);
    write(this.#bytes, this.#at);
    this.#at += length;
  }

  /** All of it; nothing is added afterwards. */
  finish(): Buffer {
    this.#bytes[0] = LIST_32;
    this.#bytes.writeUInt32BE(this.#count, 1);
    return this.#bytes.subarray(0, this.#at);
  }

  #addText(text: string): void {
    this.#makeRoom(HEADER_BYTES + 3 * text.length);
    if (text.length < SHORT && this.#addAscii(text)) return;
    const length = Buffer.byteLength(text);
    this.#addHeader(length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** False where it is not ASCII: then it has not been added. */
  #addAscii(text: string): boolean {
    const from = this.#at + 1;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#bytes[from + index] = code;
    }
    this.#addHeader(text.length);
    this.#at += text.length;
    return true;
  }

  #addHeader(length: number): void {
    const bytes = this.#bytes;
    this.#count++;
    if (length < 32) {
      bytes[this.#at++] = SHORT_TEXT | length;
    } else if (length < 2 ** 8) {
      bytes[this.#at++] = TEXT_8;
      bytes[this.#at++] = length;
    } else if (length < 2 ** 16) {
      bytes[this.#at++] = TEXT_16;
      this.#at = bytes.writeUInt16BE(length, this.#at);
    } else {
      bytes[this.#at++] = TEXT_32;
      this.#at = bytes.writeUInt32BE(length, this.#at);
    }
  }

  #makeRoom(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

export function packTexts(values: readonly ScriptValue[]): Buffer {
  let bytes = 24 * values.length;
  for (const value of values) if (typeof value === "object") bytes += value.length;
  const packed = new PackedTexts(bytes);
  for (const value of values) packed.add(value);
  return packed.finish();
}
