/** @file GPT-2's printable character for each byte. */

/** Character of each byte: itself where it is printable, else from U+0100 on (bytes_to_unicode of GPT-2). */
export const byteChars: readonly string[] = (() => {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();
