import type { ScriptValue } from "./record-format.js";

/** The marks of MessagePack for a list and for texts, by the length that follows them. */
const LIST_16 = 0xdc;
const LIST_32 = 0xdd;
const SHORT_TEXT = 0xa0;
const TEXT_8 = 0xd9;
const TEXT_16 = 0xda;
const TEXT_32 = 0xdb;

/** The longest header of a text. */
const HEADER_BYTES = 5;

/**
 * A list of texts in MessagePack, which scripts read in one go: thousands of arguments by themselves cost
 * both sides several times as much. Numbers become texts, as they do in every command.
 */
export function packTexts(values: readonly ScriptValue[]): Buffer {
  const texts = values.map((value) => (typeof value === "number" ? String(value) : value));
  let most = HEADER_BYTES;
  for (const text of texts) most += HEADER_BYTES + (typeof text === "string" ? 3 * text.length : text.length);
  const packed = Buffer.allocUnsafe(most);
  let at = writeListHeader(packed, texts.length);
  for (const text of texts) {
    if (typeof text !== "string") {
      at = writeTextHeader(packed, at, text.length);
      at += text.copy(packed, at);
    } else if (text.length <= 10) at = writeShort(packed, at, text);
    else {
      at = writeTextHeader(packed, at, Buffer.byteLength(text));
      at += packed.write(text, at);
    }
  }
  return packed.subarray(0, at);
}

/** Up to ten units take up to thirty bytes, so that the header has one byte. */
function writeShort(packed: Buffer, at: number, text: string): number {
  const bytes = packed.write(text, at + 1);
  packed[at] = SHORT_TEXT | bytes;
  return at + 1 + bytes;
}

function writeListHeader(packed: Buffer, length: number): number {
  if (length < 2 ** 16) {
    packed[0] = LIST_16;
    return packed.writeUInt16BE(length, 1);
  }
  packed[0] = LIST_32;
  return packed.writeUInt32BE(length, 1);
}

function writeTextHeader(packed: Buffer, at: number, length: number): number {
  if (length < 32) {
    packed[at] = SHORT_TEXT | length;
    return at + 1;
  }
  if (length < 2 ** 8) {
    packed[at] = TEXT_8;
    return packed.writeUInt8(length, at + 1);
  }
  if (length < 2 ** 16) {
    packed[at] = TEXT_16;
    return packed.writeUInt16BE(length, at + 1);
  }
  packed[at] = TEXT_32;
  return packed.writeUInt32BE(length, at + 1);
}
