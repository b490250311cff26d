/**
 * @file Seeded random numbers: xoshiro128** streams that fork by key, so that every sample and epoch has its own.
 *
 * Generator: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2018). Keys are mixed with
 * MurmurHash3's 32-bit finaliser. The same seed gives the same numbers on every machine.
 */
import { ArgumentError } from './errors.ts';

/** Everything that determines the numbers to come; plain JSON. */
export interface RandomState {
  readonly key: readonly number[];
  readonly state: readonly number[];
  /** The second value of the last pair of normal numbers, if not yet handed out. */
  readonly spare: number | null;
}

type Four = [number, number, number, number];

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** MurmurHash3 fmix32: every input bit flips each output bit with probability near one half. */
function mix32(h: number): number {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

function absorb(key: Four, word: number): void {
  key[0] = mix32(key[0] ^ word);
  key[1] = mix32(key[1] + Math.imul(word, 0x9e3779b1) + key[0]);
  key[2] = mix32(key[2] ^ rotl(word, 16) ^ key[1]);
  key[3] = mix32(key[3] + Math.imul(word, 0x85ebca77) + key[2]);
  key[0] = mix32(key[0] + key[3]);
}

const scratch = new DataView(new ArrayBuffer(8));

function absorbKey(key: Four, part: number | string): void {
  if (typeof part === 'number') {
    scratch.setFloat64(0, part === 0 ? 0 : part, true);
    absorb(key, scratch.getInt32(0, true));
    absorb(key, scratch.getInt32(4, true));
    absorb(key, 1);
  } else {
    for (let i = 0; i < part.length; i++) absorb(key, part.charCodeAt(i));
    absorb(key, part.length);
    absorb(key, 2);
  }
}

/**
 * A stream of random numbers.
 *
 * `fork` depends on the stream's key only, not on how many numbers were drawn, so sample 17 of epoch 3 sees the same
 * numbers whichever worker prepares it and whether or not the run was interrupted.
 * @example
 * const random = new Random(42).fork('augment', epoch, index);
 * if (random.bernoulli(0.5)) flip();
 */
export class Random {
  #key: Four;
  #state: Four;
  #spare: number | null = null;

  constructor(seed: number | string = 0) {
    if (Number.isNaN(seed)) throw new ArgumentError('a seed must be a number or text, found NaN');
    this.#key = [0x243f6a88, 0x85a308d3 | 0, 0x13198a2e, 0x03707344];
    absorbKey(this.#key, seed);
    this.#state = seedState(this.#key);
  }

  /** An independent stream named by these keys. */
  fork(...keys: readonly (number | string)[]): Random {
    const child = new Random();
    const key: Four = [...this.#key];
    for (const part of keys) absorbKey(key, part);
    absorb(key, keys.length + 0x51ed270b);
    child.#key = key;
    child.#state = seedState(key);
    return child;
  }

  /** 32 random bits as an unsigned integer. */
  uint32(): number {
    const s = this.#state;
    const result = Math.imul(rotl(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    return result;
  }

  /** A number in [low, high) with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 0x20000000000000;
    return low + (high - low) * unit;
  }

  /** A normally distributed number (Box-Muller, both values of a pair used). */
  normal(mean = 0, std = 1): number {
    let z = this.#spare;
    if (z === null) {
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      z = radius * Math.cos(angle);
      this.#spare = radius * Math.sin(angle);
    } else this.#spare = null;
    return mean + std * z;
  }

  /**
   * An unbiased integer in [low, high), as torch.randint.
   * @throws ArgumentError when the range is empty, not of integers, or wider than 2^53.
   */
  int(low: number, high: number): number {
    const range = high - low;
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || range <= 0 || range > Number.MAX_SAFE_INTEGER)
      throw new ArgumentError(`random integer in [${low}, ${high}): expected safe integers with low < high`);
    if (range > 0x100000000) return low + Math.floor(this.uniform() * range);
    const limit = 0x100000000 - (0x100000000 % range);
    let x = this.uint32();
    while (x >= limit) x = this.uint32();
    return low + (x % range);
  }

  /** True with probability p. */
  bernoulli(p = 0.5): boolean {
    return this.uniform() < p;
  }

  /** Gamma(shape, 1) by Marsaglia and Tsang (2000); shape > 0. */
  gamma(shape: number): number {
    if (!(shape > 0)) throw new ArgumentError(`gamma: shape must be positive, found ${shape}`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Beta(a, b), as used by mixup. */
  beta(a: number, b: number): number {
    const x = this.gamma(a);
    const y = this.gamma(b);
    return x + y === 0 ? 0.5 : x / (x + y);
  }

  /** Fisher-Yates, in place; returns its argument. */
  shuffle<A extends { length: number; [index: number]: unknown }>(items: A): A {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(0, i + 1);
      const held = items[i];
      items[i] = items[j];
      items[j] = held;
    }
    return items;
  }

  /** The integers 0 to n - 1 in random order. */
  permutation(n: number): Uint32Array {
    return this.shuffle(Uint32Array.from({ length: n }, (_, i) => i));
  }

  /** One element, each equally likely. */
  choice<T>(items: readonly T[]): T {
    return items[this.int(0, items.length)];
  }

  /** Snapshot for exact resume. */
  getState(): RandomState {
    return { key: [...this.#key], state: [...this.#state], spare: this.#spare };
  }

  /**
   * Continues from a snapshot.
   * @throws ArgumentError when it is not one.
   */
  setState(snapshot: RandomState): this {
    this.#key = four(snapshot.key, 'key');
    this.#state = four(snapshot.state, 'state');
    this.#spare = typeof snapshot.spare === 'number' ? snapshot.spare : null;
    return this;
  }
}

function seedState(key: Four): Four {
  const state = key.map((word, i) => mix32(word + Math.imul(i + 1, 0x9e3779b9))) as Four;
  if ((state[0] | state[1] | state[2] | state[3]) === 0) state[0] = 1; // the all-zero state is xoshiro's only fixed point
  return state;
}

function four(words: unknown, name: string): Four {
  if (!Array.isArray(words) || words.length !== 4 || !words.every((w) => Number.isInteger(w)))
    throw new ArgumentError(`random state: '${name}' must be four integers, found ${JSON.stringify(words)}`);
  return words.map((w: number) => w | 0) as Four;
}
