/** @file White space as Python's `str.split` and `str.strip` mean it, which the reference tools of text metrics use. */

/** Besides JavaScript's `\s` the separators 1C to 1F and 85, but not the byte order mark FEFF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the separators are meant
const space = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;
const spaces = new RegExp(`${space.source}+`, 'u');
const leading = new RegExp(`^${space.source}+`, 'u');

/** The words between white space. */
export function splitWords(text: string): string[] {
  return text.split(spaces).filter((word) => word !== '');
}

/** The text without white space at its end. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && space.test(text[end - 1])) end--;
  return text.slice(0, end);
}

/** The text without white space at both ends. */
export function trim(text: string): string {
  return trimEnd(text.replace(leading, ''));
}
