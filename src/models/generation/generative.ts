/** @file Models that write: generate() and stream(), for decoders and encoder-decoders alike. */

import { type ModelSource, readJson } from '../../hub/source.ts';
import { ArgumentError } from '../../ir/errors.ts';
import { fromData, Tensor } from '../../tensor/index.ts';
import { writeFileAtomic } from '../../train/files.ts';
import { nodeFiles } from '../../train/node-files.ts';
import type { PretrainedConfig } from '../config.ts';
import { PreTrainedModel } from '../pretrained-model.ts';
import { generationConfig, generationDefaults } from './config.ts';
import type { DecoderShape } from './memory.ts';
import { type GenerationOptions, type GenerationPlan, planGeneration, planLengths } from './options.ts';
import { type Beginning, type DecodingRun, sampleTokens, searchBeams } from './search.ts';

/** Prompts: int64 [batch, sequence], ids of one text, or of several, which may differ in length. */
export type Prompts =
  | Tensor
  | readonly number[]
  | readonly (readonly number[])[]
  | { readonly inputIds: Tensor; readonly attentionMask?: Tensor };

/** Prompts as the model reads them. @internal */
export interface PromptBatch {
  readonly ids: readonly (readonly number[])[];
  /** 1 at tokens, 0 at padding. */
  readonly mask: readonly (readonly number[])[];
}

/** @internal A run over prompts, and what ends it. */
export interface OpenRun extends DecodingRun {
  close(): void;
}

/** Base of models that generate text (transformers.GenerationMixin). */
export abstract class GenerativeModel<C extends PretrainedConfig = PretrainedConfig> extends PreTrainedModel<C> {
  /**
   * What generation_config.json says, with the file's names (`{ do_sample: true, top_p: 0.9 }`): defaults of `generate`.
   * Undefined without that file; then entries of config.json of those names count, as in old files. May be replaced.
   */
  generationConfig: Readonly<Record<string, unknown>> | undefined;

  /** @internal */
  abstract get decoderShape(): DecoderShape;

  /** Begins to decode; rows are the prompts, each `beams` times. @internal */
  protected abstract openRun(prompts: PromptBatch, beams: number, plan: GenerationPlan): OpenRun;

  /** Where texts begin: the prompts themselves, or a start token for each. @internal */
  protected abstract beginnings(prompts: PromptBatch): Beginning[];

  /** Side of shorter prompts that is padded. @internal */
  protected abstract readonly paddingSide: 'left' | 'right';

  /**
   * Continues prompts by greedy search, sampling (`doSample`) or beam search (`numBeams`), as transformers' `generate`.
   * The model runs in evaluation mode.
   *
   * ```ts
   * const ids = await model.generate([[464, 2068, 7586]], { maxNewTokens: 20, doSample: true, topP: 0.9, seed: 1 });
   * ```
   * @returns int64 [batch, length]: prompts with their continuations (encoder-decoders: the start token and the answer),
   *   the shorter ones padded after their end.
   * @throws ArgumentError for an empty prompt, tokens outside of the vocabulary, more tokens than the model has positions,
   *   or an option out of range.
   */
  async generate(prompts: Prompts, options: GenerationOptions = {}): Promise<Tensor> {
    const { batch, plan } = await this.#prepare(prompts, options);
    const run = this.openRun(batch, plan.numBeams, plan);
    try {
      const { vocabSize } = this.decoderShape;
      const beginnings = this.beginnings(batch);
      if (plan.numBeams > 1) return padded(await searchBeams(run, beginnings, vocabSize, plan), plan.pad ?? 0);
      const rows = beginnings.map(({ tokens }) => [...tokens]);
      for await (const _ of sampleTokens(run, beginnings, rows, vocabSize, plan));
      return padded(rows, plan.pad ?? 0);
    } finally {
      run.close();
    }
  }

  /**
   * Continues one prompt and hands out each token as soon as it is known: those that `generate` would append.
   *
   * ```ts
   * for await (const token of model.stream(ids, { maxNewTokens: 100, doSample: true })) write(tokenizer.decode([token]));
   * ```
   * @throws ArgumentError as generate(), and for several prompts or beam search.
   */
  async *stream(prompts: Prompts, options: GenerationOptions = {}): AsyncGenerator<number> {
    const { batch, plan } = await this.#prepare(prompts, options);
    if (batch.ids.length !== 1)
      throw new ArgumentError(`stream: expected one prompt, found ${batch.ids.length}; use generate for several`);
    if (plan.numBeams > 1)
      throw new ArgumentError('stream: beam search knows its text at the end only; use generate, or numBeams: 1');
    const run = this.openRun(batch, 1, plan);
    try {
      const beginnings = this.beginnings(batch);
      const rows = beginnings.map(({ tokens }) => [...tokens]);
      for await (const [token] of sampleTokens(run, beginnings, rows, this.decoderShape.vocabSize, plan)) yield token;
    } finally {
      run.close();
    }
  }

  override async loadSettings(files: ModelSource): Promise<void> {
    const file = 'generation_config.json';
    if (!(await files.has(file))) return;
    this.generationConfig = generationConfig(await readJson(files, file), `${files.name}/${file}`);
  }

  /** Writes config.json, model.safetensors and, where there is one, generation_config.json. @throws FileError. */
  override async savePretrained(folder: string): Promise<void> {
    await super.savePretrained(folder);
    if (!this.generationConfig) return;
    const path = nodeFiles().path.join(folder, 'generation_config.json');
    await writeFileAtomic(path, `${JSON.stringify(this.generationConfig, null, 2)}\n`);
  }

  async #prepare(prompts: Prompts, options: GenerationOptions): Promise<{ batch: PromptBatch; plan: GenerationPlan }> {
    const { vocabSize } = this.decoderShape;
    const defaults = generationDefaults(this.generationConfig ?? this.config);
    const first = planGeneration(options, this.config, vocabSize, defaults);
    const batch = await this.#read(prompts, options.attentionMask, first);
    if (!batch.ids.length) throw new ArgumentError('generate: expected at least one prompt, found none');
    batch.ids.forEach((row, i) => {
      if (!batch.mask[i].includes(1))
        throw new ArgumentError(`generate: prompt ${i} is empty; begin with a token such as bosTokenId`);
      if (this.paddingSide === 'left' && !batch.mask[i].at(-1))
        throw new ArgumentError(
          `generate: prompt ${i} ends with padding, after which nothing sensible follows; pad on the left, or pass lists of ids`,
        );
      const wrong = row.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
      if (wrong !== undefined)
        throw new ArgumentError(`generate: prompt ${i} has token ${wrong}; the vocabulary has 0 to ${vocabSize - 1}`);
    });
    const plan = { ...first, ...planLengths(options, defaults, this.beginnings(batch)[0].tokens.length) };
    this.checkRoom(batch, plan);
    return { batch, plan };
  }

  /** @throws ArgumentError if prompt and answer together need more positions than the model has. @internal */
  protected checkRoom({ mask }: PromptBatch, { maxNewTokens }: GenerationPlan): void {
    const { maxPositions } = this.decoderShape;
    const longest = Math.max(...mask.map((row) => row.filter(Boolean).length));
    if (maxPositions !== null && longest + maxNewTokens > maxPositions)
      throw new ArgumentError(
        longest >= maxPositions
          ? `generate: a prompt of ${longest} tokens leaves no room in the model's ${maxPositions} positions; truncate it`
          : `generate: a prompt of ${longest} tokens and maxNewTokens ${maxNewTokens} exceed the model's ${maxPositions} positions; ask for at most ${maxPositions - longest}`,
      );
  }

  async #read(prompts: Prompts, givenMask: Tensor | undefined, plan: GenerationPlan): Promise<PromptBatch> {
    if (prompts instanceof Tensor || isRecord(prompts)) {
      const inputIds = prompts instanceof Tensor ? prompts : prompts.inputIds;
      const maskTensor = givenMask ?? (prompts instanceof Tensor ? undefined : prompts.attentionMask);
      const ids = await rowsOf(inputIds, 'inputIds');
      if (!ids.length || !ids[0].length)
        throw new ArgumentError(`generate: the prompt is empty (inputIds [${inputIds.shape}])`);
      const mask = maskTensor ? await rowsOf(maskTensor, 'attentionMask') : guessMask(ids, plan);
      if (mask.length !== ids.length || mask[0].length !== ids[0].length)
        throw new ArgumentError(
          `generate: attentionMask [${maskTensor?.shape}] must have the shape of inputIds, [${inputIds.shape}]`,
        );
      return { ids, mask };
    }
    if (givenMask) throw new ArgumentError('generate: attentionMask goes with a tensor of ids; lists need none');
    return padPrompts(listsOf(prompts), this.paddingSide, plan.pad ?? 0);
  }
}

type Lists = readonly number[] | readonly (readonly number[])[];

function isRecord(prompts: Exclude<Prompts, Tensor>): prompts is Exclude<Prompts, Tensor | Lists> {
  return !Array.isArray(prompts);
}

const isOneText = (prompts: Lists): prompts is readonly number[] => typeof prompts[0] === 'number';

const listsOf = (prompts: Lists): readonly (readonly number[])[] => (isOneText(prompts) ? [prompts] : prompts);

async function rowsOf(tensor: Tensor, name: string): Promise<number[][]> {
  if (!(tensor instanceof Tensor) || tensor.ndim !== 2)
    throw new ArgumentError(
      `generate: ${name} must be a tensor [batch, sequence], found ${tensor instanceof Tensor ? `shape [${tensor.shape}]` : typeof tensor}`,
    );
  const data = Array.from(await tensor.data());
  const [rows, length] = tensor.shape;
  return Array.from({ length: rows }, (_, i) => data.slice(i * length, (i + 1) * length));
}

/** Padding is where the padding token stands, unless it also ends texts. */
function guessMask(ids: readonly (readonly number[])[], { pad, eos }: GenerationPlan): number[][] {
  const isPadding = pad !== undefined && !eos.includes(pad);
  return ids.map((row) => row.map((id) => (isPadding && id === pad ? 0 : 1)));
}

/** Rows of one length. @internal */
export function padPrompts(lists: readonly (readonly number[])[], side: 'left' | 'right', pad: number): PromptBatch {
  const length = Math.max(1, ...lists.map((row) => row.length));
  const widen = (row: readonly number[], value: number) => {
    const rest = Array<number>(length - row.length).fill(value);
    return side === 'left' ? [...rest, ...row] : [...row, ...rest];
  };
  return {
    ids: lists.map((row) => widen(row, pad)),
    mask: lists.map((row) =>
      widen(
        row.map(() => 1),
        0,
      ),
    ),
  };
}

function padded(rows: readonly (readonly number[])[], pad: number): Tensor {
  const length = Math.max(...rows.map((row) => row.length));
  const data = new Float64Array(rows.length * length).fill(pad);
  rows.forEach((row, i) => {
    data.set(row, i * length);
  });
  return fromData(data, [rows.length, length], { dtype: 'int64' });
}
