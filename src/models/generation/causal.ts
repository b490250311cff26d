/** @file Decoders that predict the next token, and how they generate. */
import { compile, noGrad, type Tensor } from '../../tensor/index.ts';
import type { PretrainedConfig } from '../config.ts';
import { attentionMaskOf } from '../masks.ts';
import { causalMask, type DecoderState } from './attention.ts';
import { GenerativeModel, type OpenRun, type PromptBatch } from './generative.ts';
import { bucketLength, floats, int64, int64List, KeyValueMemory } from './memory.ts';
import type { GenerationPlan } from './options.ts';
import { borrow, evaluating } from './programs.ts';
import type { Beginning } from './search.ts';

export type { DecoderShape } from './memory.ts';

/** What decoders without a head give. */
export interface DecoderOutput {
  /** [batch, sequence, hidden]. */
  lastHiddenState: Tensor;
}

/** What language models and classifiers of texts give. */
export interface CausalLMOutput {
  /** [batch, sequence, vocabulary], or [batch, labels] of a classifier. */
  logits: Tensor;
  /** Scalar, where labels were given. */
  loss?: Tensor;
}

/** A decoder with a language-modelling head. */
export abstract class CausalLM<C extends PretrainedConfig = PretrainedConfig> extends GenerativeModel<C> {
  protected override readonly paddingSide = 'left';

  /** Logits [rows, vocabulary] after the last of the given tokens [rows, tokens]. @internal */
  abstract nextLogits(inputIds: Tensor, state: DecoderState): Tensor;

  protected override beginnings({ ids, mask }: PromptBatch): Beginning[] {
    return ids.map((tokens, i) => ({ tokens, padding: mask[i].indexOf(1) }));
  }

  protected override openRun(prompts: PromptBatch, beams: number, plan: GenerationPlan): OpenRun {
    return plan.useCache ? new CachedRun(this, prompts, beams, plan.maxNewTokens) : new PlainRun(this, prompts, beams);
  }
}

/** Positions count tokens only; padding has 0, as in transformers. */
function positionsOf(mask: readonly number[]): number[] {
  let next = 0;
  return mask.map((isToken) => (isToken ? next++ : 0));
}

/** Rows with padding on the left up to a bucket's length. */
function bucketed(rows: readonly (readonly number[])[]): number[][] {
  const length = bucketLength(rows[0].length);
  return rows.map((row) => [...Array<number>(length - row.length).fill(0), ...row]);
}

/** Programs for so many rows and so much memory. */
class CausalPrograms {
  readonly memory: KeyValueMemory;
  readonly prefill: (ids: Tensor, mask: Tensor, positions: Tensor) => Promise<Tensor>;
  /** `mask` [rows, slots]; `parents` [rows] in beam search. */
  readonly step: (...tensors: Tensor[]) => Promise<Tensor>;

  constructor(model: CausalLM, rows: number, length: number) {
    this.memory = new KeyValueMemory(model.decoderShape, rows, length);
    const { memory } = this;
    this.prefill = compile((ids, mask, positionIds) =>
      noGrad(() => {
        const state = { positionIds, mask: causalMask(ids.size(1), mask), cache: memory.filling() };
        return model.nextLogits(ids, state);
      }),
    );
    this.step = compile((ids, positionIds, mask, slot, parents) =>
      noGrad(() => {
        const state = { positionIds, mask: attentionMaskOf(mask), cache: memory.extending(slot, parents) };
        return model.nextLogits(ids, state);
      }),
    );
  }
}

/** Decoding with a cache that doubles when it is full. */
class CachedRun implements OpenRun {
  readonly #model: CausalLM;
  readonly #prompts: PromptBatch;
  readonly #beams: number;
  #borrowed: { programs: CausalPrograms; giveBack: () => void };
  /** Which slots hold tokens, by row. */
  #mask: number[][] = [];
  /** Tokens so far, by row. */
  #counts: number[] = [];
  #slot = 0;

  constructor(model: CausalLM, prompts: PromptBatch, beams: number, maxNewTokens: number) {
    this.#model = model;
    this.#prompts = { ids: bucketed(prompts.ids), mask: bucketed(prompts.mask) };
    this.#beams = beams;
    const length = this.#prompts.ids[0].length;
    this.#borrowed = this.#borrow(bucketLength(length + Math.min(maxNewTokens, length), 64));
  }

  #borrow(length: number) {
    const rows = this.#prompts.ids.length * this.#beams;
    return borrow(this.#model, `${rows} x ${length}`, () => new CausalPrograms(this.#model, rows, length));
  }

  async first(): Promise<Float32Array> {
    const { ids, mask } = this.#prompts;
    const { programs } = this.#borrowed;
    const inputs = [int64(ids), int64(mask), int64(mask.map(positionsOf))] as const;
    const logits = await evaluating(this.#model, async () => floats(await programs.prefill(...inputs)));
    this.#slot = ids[0].length;
    const expanded = mask.flatMap((row) => Array.from({ length: this.#beams }, () => row));
    this.#mask = expanded.map((row) => [...row]);
    this.#counts = expanded.map((row) => row.filter(Boolean).length);
    return repeatRows(logits, ids.length, this.#beams);
  }

  async next(tokens: readonly number[], parents: readonly number[] | null): Promise<Float32Array> {
    if (this.#slot === this.#borrowed.programs.memory.length) await this.#grow();
    const { memory, step } = this.#borrowed.programs;
    for (const row of this.#mask) row.push(1);
    const inputs = [
      int64(tokens.map((token) => [token])),
      int64(this.#counts.map((count) => [count])),
      int64(this.#mask.map((row) => [...row, ...Array<number>(memory.length - row.length).fill(0)])),
      int64List(this.#slot),
      ...(parents ? [int64List(parents)] : []),
    ];
    const logits = await evaluating(this.#model, async () => floats(await step(...inputs)));
    this.#counts = this.#counts.map((count) => count + 1);
    this.#slot++;
    return logits;
  }

  async #grow(): Promise<void> {
    const { programs, giveBack } = this.#borrowed;
    const larger = this.#borrow(2 * programs.memory.length);
    try {
      await larger.programs.memory.copy(programs.memory);
    } finally {
      this.#borrowed = larger;
      giveBack();
    }
  }

  close(): void {
    this.#borrowed.giveBack();
  }
}

/** [rows * width] with every row so often. */
function repeatRows(logits: Float32Array, rows: number, times: number): Float32Array {
  if (times === 1) return logits;
  const width = logits.length / rows;
  const out = new Float32Array(logits.length * times);
  for (let i = 0; i < rows * times; i++) {
    const at = Math.floor(i / times) * width;
    out.set(logits.subarray(at, at + width), i * width);
  }
  return out;
}

/** Decoding that reads the whole text again for every token. */
class PlainRun implements OpenRun {
  readonly #model: CausalLM;
  readonly #beams: number;
  readonly #program: {
    programs: (ids: Tensor, mask: Tensor, positions: Tensor) => Promise<Tensor>;
    giveBack: () => void;
  };
  #ids: number[][];
  #mask: number[][];

  constructor(model: CausalLM, { ids, mask }: PromptBatch, beams: number) {
    this.#model = model;
    this.#beams = beams;
    this.#ids = ids.map((row) => [...row]);
    this.#mask = mask.map((row) => [...row]);
    this.#program = borrow(model, 'without cache', () =>
      compile((tokens: Tensor, tokenMask: Tensor, positionIds: Tensor) =>
        noGrad(() => model.nextLogits(tokens, { positionIds, mask: causalMask(tokens.size(1), tokenMask) })),
      ),
    );
  }

  async #logits(): Promise<Float32Array> {
    const mask = bucketed(this.#mask);
    const inputs = [int64(bucketed(this.#ids)), int64(mask), int64(mask.map(positionsOf))] as const;
    return await evaluating(this.#model, async () => floats(await this.#program.programs(...inputs)));
  }

  async first(): Promise<Float32Array> {
    const logits = await this.#logits();
    const rows = this.#ids.length;
    const repeat = (list: number[][]) => list.flatMap((row) => Array.from({ length: this.#beams }, () => [...row]));
    this.#ids = repeat(this.#ids);
    this.#mask = repeat(this.#mask);
    return repeatRows(logits, rows, this.#beams);
  }

  async next(tokens: readonly number[], parents: readonly number[] | null): Promise<Float32Array> {
    const from = (rows: readonly number[][], added: (i: number) => number) =>
      rows.map((row, i) => [...(parents ? rows[parents[i]] : row), added(i)]);
    this.#ids = from(this.#ids, (i) => tokens[i]);
    this.#mask = from(this.#mask, () => 1);
    return await this.#logits();
  }

  close(): void {
    this.#program.giveBack();
  }
}
