/** @file Positions of byte-level tokens without the spaces that they begin or end with (tokenizers' process_offsets). */
import type { TokenSequence } from './types.ts';
import type { TokenTable } from './vocabulary.ts';

/**
 * Makes the function that shortens positions, of one text or one window of it.
 * @param addPrefixSpace a first space was put there by the tokenizer, and takes no place.
 */
export function trimSpaces(table: TokenTable, addPrefixSpace: boolean): (sequence: TokenSequence) => TokenSequence {
  // Unknown words with spaces keep their places, but where their text is their token.
  const taking = new Set(table.added.filter((token) => token.lstrip || token.rstrip).map((token) => token.id));
  if (table.textualUnknown !== undefined) taking.add(table.textualUnknown);
  const counts = new Map<number, Spaces>();
  const spacesOf = (id: number) => {
    let count = counts.get(id);
    if (!count) {
      count = spacesAround(table.tokens[id] ?? '');
      counts.set(id, count);
    }
    return count;
  };
  return ({ text, ids, starts: from, ends: to }) => {
    const starts = [...from];
    const ends = [...to];
    for (let i = 0; i < ids.length; i++) {
      // These may have taken in white space of the text.
      let [before, after] = taking.has(ids[i]) ? spacesAround(text.slice(from[i], to[i])) : spacesOf(ids[i]);
      if (before > 0) {
        // Several spaces were in the text; a single one may have been added.
        if (before === 1 && (i === 0 || starts[i] === 0) && addPrefixSpace) before = 0;
        // A space that was put before a character has its place: one character on, which may be two units.
        for (; before > 0; before--) starts[i] += (text.codePointAt(starts[i]) ?? 0) > 0xffff ? 2 : 1;
        starts[i] = Math.min(starts[i], ends[i]);
      }
      if (after > 0 && ends[i] >= after) ends[i] = Math.max(ends[i] - after, starts[i]);
    }
    return { text, ids, starts, ends };
  };
}

type Spaces = readonly [before: number, after: number];

function spacesAround(token: string): Spaces {
  const before = /^[Ġ\p{White_Space}]*/u.exec(token)?.[0].length ?? 0;
  const after = /[Ġ\p{White_Space}]*$/u.exec(token)?.[0].length ?? 0;
  return [before, after];
}
