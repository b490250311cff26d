/** @file Learning merges: the most frequent pair of neighbours becomes a token, again and again (tokenizers' BpeTrainer). */

/** What is to be learnt from. */
export interface MergeCorpus {
  /** Words as lists of symbols. They are changed. */
  readonly words: number[][];
  /** How often each word comes. */
  readonly counts: readonly number[];
  /** Symbols by id: the alphabet. New tokens are appended. */
  readonly tokens: string[];
}

interface Candidate {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** Ids as one number. */
const keyOf = (left: number, right: number) => left * 2 ** 26 + right;

/** More frequent first; of equal ones the pair with the lower ids, as in tokenizers. */
function before(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}

/**
 * Appends tokens until there are `vocabSize` or no pair comes `minFrequency` times.
 * @param prefix what tokens inside of a word begin with (`##`); left out where two are joined.
 * @returns the merges in the order in which they were learnt
 */
export function learnMerges(
  { words, counts, tokens }: MergeCorpus,
  vocabSize: number,
  minFrequency: number,
  prefix: string,
): [left: string, right: string][] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const pairs = new PairCounts(words, counts);
  const queue = new Queue();
  for (const candidate of pairs.all()) queue.push(candidate);
  const merges: [string, string][] = [];
  while (tokens.length < vocabSize) {
    const top = queue.pop();
    if (!top) break;
    const count = pairs.count(top.left, top.right);
    if (count !== top.count) {
      if (count > 0) queue.push({ ...top, count });
      continue;
    }
    if (count < Math.max(1, minFrequency)) break;
    const [left, right] = [tokens[top.left], tokens[top.right]];
    const joined = left + (prefix && right.startsWith(prefix) ? right.slice(prefix.length) : right);
    let id = ids.get(joined);
    if (id === undefined) {
      id = tokens.push(joined) - 1;
      ids.set(joined, id);
    }
    merges.push([left, right]);
    for (const candidate of pairs.merge(top.left, top.right, id)) queue.push(candidate);
  }
  return merges;
}

/** How often pairs of neighbours come, and in which words. */
class PairCounts {
  readonly #words: number[][];
  readonly #counts: readonly number[];
  readonly #pairs = new Map<number, { left: number; right: number; count: number; words: Set<number> }>();

  constructor(words: number[][], counts: readonly number[]) {
    this.#words = words;
    this.#counts = counts;
    for (let i = 0; i < words.length; i++) this.#add(i, 1);
  }

  *all(): Generator<Candidate> {
    for (const { left, right, count } of this.#pairs.values()) yield { left, right, count };
  }

  count(left: number, right: number): number {
    return this.#pairs.get(keyOf(left, right))?.count ?? 0;
  }

  /** Replaces a pair by a token in all words. @returns the pairs that the token has become part of */
  merge(left: number, right: number, id: number): Candidate[] {
    const touched = new Set<number>();
    for (const i of [...(this.#pairs.get(keyOf(left, right))?.words ?? [])]) {
      this.#add(i, -1);
      const word = this.#words[i];
      const merged: number[] = [];
      for (let k = 0; k < word.length; k++) {
        const found = word[k] === left && word[k + 1] === right;
        merged.push(found ? id : word[k]);
        if (found) k++;
      }
      this.#words[i] = merged;
      this.#add(i, 1);
      for (let k = 0; k + 1 < merged.length; k++)
        if (merged[k] === id || merged[k + 1] === id) touched.add(keyOf(merged[k], merged[k + 1]));
    }
    this.#pairs.delete(keyOf(left, right));
    return [...touched].flatMap((key) => this.#pairs.get(key) ?? []).map(({ words: _, ...pair }) => pair);
  }

  #add(index: number, sign: 1 | -1): void {
    const word = this.#words[index];
    const change = this.#counts[index] * sign;
    for (let k = 0; k + 1 < word.length; k++) {
      const key = keyOf(word[k], word[k + 1]);
      let pair = this.#pairs.get(key);
      if (!pair) {
        pair = { left: word[k], right: word[k + 1], count: 0, words: new Set() };
        this.#pairs.set(key, pair);
      }
      pair.count += change;
      if (sign > 0) pair.words.add(index);
      else pair.words.delete(index);
    }
  }
}

/** Heap of candidates, the best on top. */
class Queue {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop(): Candidate | undefined {
    const items = this.#items;
    const [top] = items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1], items[child])) child++;
      if (!before(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return top;
  }
}
