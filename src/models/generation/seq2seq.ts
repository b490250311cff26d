/** @file Encoder-decoders that answer texts with texts, and how they generate. */
import { compile, noGrad, type Tensor } from '../../tensor/index.ts';
import type { PretrainedConfig } from '../config.ts';
import type { KeyValueCache } from './attention.ts';
import { GenerativeModel, type OpenRun, type PromptBatch } from './generative.ts';
import { bucketLength, floats, int64, int64List, KeyValueMemory } from './memory.ts';
import type { GenerationPlan } from './options.ts';
import { borrow, evaluating } from './programs.ts';
import type { Beginning } from './search.ts';

/** What is known when the decoder reads one more token per row. @internal */
export interface Seq2SeqStep {
  /** Position of the token, int64 scalar. */
  readonly slot: Tensor;
  /** Positions that the cache holds. */
  readonly length: number;
  readonly cache: KeyValueCache;
  /** Keys and values of the encoder's states. */
  readonly encoded: KeyValueMemory;
  /** int64 [rows, encoded tokens]. */
  readonly encoderMask: Tensor;
}

/** An encoder and a decoder with a language-modelling head. */
export abstract class Seq2SeqLM<C extends PretrainedConfig = PretrainedConfig> extends GenerativeModel<C> {
  protected override readonly paddingSide = 'right';

  /** The token that answers begin with. @internal */
  abstract get startToken(): number;

  /** Runs the encoder and hands the keys and values of its states, layer by layer, to `memory`; gives any tensor. @internal */
  abstract remember(inputIds: Tensor, attentionMask: Tensor, memory: KeyValueCache): Tensor;

  /** Logits [rows, vocabulary] after one more token [rows, 1]. @internal */
  abstract nextLogits(inputIds: Tensor, step: Seq2SeqStep): Tensor;

  abstract override forward(inputs: { inputIds: Tensor; attentionMask?: Tensor; decoderInputIds?: Tensor }): {
    logits: Tensor;
  };

  protected override beginnings({ ids }: PromptBatch): Beginning[] {
    return ids.map(() => ({ tokens: [this.startToken], padding: 0 }));
  }

  protected override openRun(prompts: PromptBatch, beams: number, plan: GenerationPlan): OpenRun {
    const side = { ids: bucketed(prompts.ids), mask: bucketed(prompts.mask) };
    return plan.useCache ? new CachedRun(this, side, beams, plan.maxNewTokens) : new PlainRun(this, side, beams);
  }
}

/** Rows with padding on the right up to a bucket's length. */
function bucketed(rows: readonly (readonly number[])[]): number[][] {
  const length = bucketLength(rows[0].length);
  return rows.map((row) => [...row, ...Array<number>(length - row.length).fill(0)]);
}

const repeated = (rows: readonly (readonly number[])[], times: number): number[][] =>
  rows.flatMap((row) => Array.from({ length: times }, () => [...row]));

/** Programs for so many rows, texts and answers of such lengths. */
class Seq2SeqPrograms {
  readonly memory: KeyValueMemory;
  readonly encoded: KeyValueMemory;
  readonly encode: (ids: Tensor, mask: Tensor) => Promise<Tensor>;
  /** Token [rows, 1], encoder mask, slot; in beam search also parents [rows]. */
  readonly step: (...tensors: Tensor[]) => Promise<Tensor>;

  constructor(model: Seq2SeqLM, rows: number, length: number, sourceLength: number) {
    this.memory = new KeyValueMemory(model.decoderShape, rows, length);
    this.encoded = new KeyValueMemory(model.decoderShape, rows, sourceLength);
    const { memory, encoded } = this;
    this.encode = compile((ids: Tensor, mask: Tensor) => noGrad(() => model.remember(ids, mask, encoded.filling())));
    this.step = compile((ids, encoderMask, slot, parents) =>
      noGrad(() =>
        model.nextLogits(ids, { slot, length, cache: memory.extending(slot, parents), encoded, encoderMask }),
      ),
    );
  }
}

class CachedRun implements OpenRun {
  readonly #model: Seq2SeqLM;
  readonly #prompts: PromptBatch;
  readonly #rows: number;
  readonly #encoderMask: Tensor;
  #borrowed: { programs: Seq2SeqPrograms; giveBack: () => void };
  #slot = 0;

  constructor(model: Seq2SeqLM, prompts: PromptBatch, beams: number, maxNewTokens: number) {
    this.#model = model;
    this.#prompts = prompts;
    this.#rows = prompts.ids.length * beams;
    this.#encoderMask = int64(repeated(prompts.mask, beams));
    this.#borrowed = this.#borrow(bucketLength(Math.min(maxNewTokens, 64), 16));
  }

  #borrow(length: number) {
    const source = this.#prompts.ids[0].length;
    const make = () => new Seq2SeqPrograms(this.#model, this.#rows, length, source);
    return borrow(this.#model, `${this.#rows} x ${length} of ${source}`, make);
  }

  async first(): Promise<Float32Array> {
    const { ids, mask } = this.#prompts;
    await evaluating(this.#model, () => this.#borrowed.programs.encode(int64(ids), int64(mask)));
    return await this.next(Array<number>(this.#rows).fill(this.#model.startToken), null);
  }

  async next(tokens: readonly number[], parents: readonly number[] | null): Promise<Float32Array> {
    if (this.#slot === this.#borrowed.programs.memory.length) await this.#grow();
    const inputs = [
      int64(tokens.map((token) => [token])),
      this.#encoderMask,
      int64List(this.#slot),
      ...(parents ? [int64List(parents)] : []),
    ];
    this.#slot++;
    const { step } = this.#borrowed.programs;
    return await evaluating(this.#model, async () => floats(await step(...inputs)));
  }

  async #grow(): Promise<void> {
    const { programs, giveBack } = this.#borrowed;
    const larger = this.#borrow(2 * programs.memory.length);
    try {
      await larger.programs.memory.copy(programs.memory);
      await larger.programs.encoded.copy(programs.encoded);
    } finally {
      this.#borrowed = larger;
      giveBack();
    }
  }

  close(): void {
    this.#borrowed.giveBack();
  }
}

type WholeProgram = (ids: Tensor, mask: Tensor, answers: Tensor, last: Tensor) => Promise<Tensor>;

/** Reads text and answer again for every token. */
class PlainRun implements OpenRun {
  readonly #model: Seq2SeqLM;
  readonly #inputs: readonly [Tensor, Tensor];
  readonly #borrowed: { programs: WholeProgram; giveBack: () => void };
  #answers: number[][];

  constructor(model: Seq2SeqLM, { ids, mask }: PromptBatch, beams: number) {
    this.#model = model;
    this.#inputs = [int64(repeated(ids, beams)), int64(repeated(mask, beams))];
    this.#answers = Array.from({ length: ids.length * beams }, () => [model.startToken]);
    this.#borrowed = borrow<WholeProgram>(model, 'without cache', () =>
      compile((inputIds: Tensor, attentionMask: Tensor, decoderInputIds: Tensor, last: Tensor) =>
        noGrad(() =>
          model.forward({ inputIds, attentionMask, decoderInputIds }).logits.indexSelect(1, last).squeeze(1),
        ),
      ),
    );
  }

  async first(): Promise<Float32Array> {
    // What follows the last token is not seen by it.
    const last = int64List([this.#answers[0].length - 1]);
    const answers = int64(bucketed(this.#answers));
    const run = async () => floats(await this.#borrowed.programs(...this.#inputs, answers, last));
    return await evaluating(this.#model, run);
  }

  async next(tokens: readonly number[], parents: readonly number[] | null): Promise<Float32Array> {
    this.#answers = this.#answers.map((row, i) => [...(parents ? this.#answers[parents[i]] : row), tokens[i]]);
    return await this.first();
  }

  close(): void {
    this.#borrowed.giveBack();
  }
}
