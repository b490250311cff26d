/** @file Encoders against Python's transformers: outputs, losses, gradients; what is refused; what is written back. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../hub/onnx/index.ts';
import { ArgumentError, FormatError, ShapeError, UnsupportedError } from '../ir/errors.ts';
import { encodeNumber } from '../ir/half.ts';
import type { NDArray } from '../ir/ndarray.ts';
import * as nn from '../nn/index.ts';
import { fromData, manualSeed, type Tensor, tensor, zeros } from '../tensor/index.ts';
import { loadSafetensors, saveSafetensors } from '../train/safetensors.ts';
import {
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForMaskedLM,
  AutoModelForMultipleChoice,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  BertForNextSentencePrediction,
  BertForSequenceClassification,
  BertModel,
  bertConfig,
  EncoderWithHead,
  type FromPretrainedOptions,
  type LabelledInputs,
  type LoadReport,
  type PreTrainedModel,
} from './index.ts';

const golden = fileURLToPath(new URL('../../test/golden/transformers/', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-encoders-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

type Loader = (source: string, options?: FromPretrainedOptions) => Promise<PreTrainedModel>;
const text: Record<string, Loader> = {
  base: AutoModel.fromPretrained,
  plain: AutoModel.fromPretrained,
  sequence: AutoModelForSequenceClassification.fromPretrained,
  regression: AutoModelForSequenceClassification.fromPretrained,
  multilabel: AutoModelForSequenceClassification.fromPretrained,
  token: AutoModelForTokenClassification.fromPretrained,
  question: AutoModelForQuestionAnswering.fromPretrained,
  choice: AutoModelForMultipleChoice.fromPretrained,
  masked: AutoModelForMaskedLM.fromPretrained,
  image: AutoModelForImageClassification.fromPretrained,
  next: (source, options) => BertForNextSentencePrediction.fromPretrained(source, options),
};
const load: Loader = (name, options) => text[name.split('-')[1]](join(golden, name), options);

const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
const asTensor = ({ data, shape, dtype }: NDArray) => fromData(data, shape, { dtype });

/** Inputs of a golden file, its outputs, its gradients. */
async function goldenOf(name: string) {
  const { tensors } = await loadSafetensors(join(golden, name, 'golden.safetensors'));
  const part = (prefix: string) =>
    [...tensors].flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
    );
  const inputs = Object.fromEntries(part('input.').map(([key, value]) => [camel(key), asTensor(value)]));
  return { inputs, outputs: part('output.'), grads: new Map(part('grad.')) };
}

function call(model: PreTrainedModel, inputs: Record<string, Tensor>): Record<string, Tensor> {
  const { cotangent, ...rest } = inputs;
  const result = (model.forward as (inputs: unknown) => Record<string, Tensor>)(rest);
  if (!cotangent) return result;
  const loss = result.lastHiddenState.mul(cotangent).sum();
  return { ...result, loss: result.poolerOutput ? loss.add(result.poolerOutput.sum()) : loss };
}

/** The largest difference, as a share of the largest number (of 1 at least). */
function difference(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  let [worst, scale] = [0, 1];
  for (let i = 0; i < wanted.length; i++) {
    scale = Math.max(scale, Math.abs(wanted[i]));
    worst = Math.max(worst, Math.abs(found[i] - wanted[i]));
  }
  return worst / scale;
}

const noDropout = {
  hiddenDropoutProb: 0,
  attentionProbsDropoutProb: 0,
  classifierDropout: 0,
  qaDropout: 0,
  seqClassifDropout: 0,
};

describe('golden models of transformers', async () => {
  for (const name of (await readdir(golden)).filter((n) => /^(bert|distilbert|roberta|vit)-/.test(n)))
    it(`${name}: outputs, loss, gradients of all parameters`, async () => {
      const { inputs, outputs, grads } = await goldenOf(name);
      let report: LoadReport | undefined;
      const onLoad = (r: LoadReport) => {
        report = r;
      };
      const evaluated = (await load(name, { onLoad })).eval();
      expect(report).toEqual({ newKeys: [], unusedKeys: [], dtypes: ['float32'] });
      const trained = await load(name, { config: noDropout });
      for (const model of [evaluated, trained]) {
        const result = call(model, inputs);
        result.loss.backward();
        for (const [key, wanted] of outputs)
          expect(difference(await result[camel(key)].data(), wanted.data), key).toBeLessThan(1e-5);
        const state = model.stateDict();
        for (const [key, wanted] of grads) {
          const { grad } = state[key];
          const found = grad ? await grad.data() : new Float32Array(wanted.data.length);
          expect(difference(found, wanted.data), key).toBeLessThan(1e-4);
        }
      }
    });
});

describe('saving', () => {
  for (const name of ['bert-masked', 'distilbert-sequence', 'roberta-masked', 'vit-image'])
    it(`${name}: the same tensors, the same config entries; other files stay`, async () => {
      const out = await mkdtemp(join(folder, 'saved-'));
      await cp(join(golden, name), out, { recursive: true });
      const config = {
        ...JSON.parse(await readFile(join(out, 'config.json'), 'utf8')),
        my_own_key: { deep: [1, null] },
      };
      await writeFile(join(out, 'config.json'), JSON.stringify(config));
      await writeFile(join(out, 'tokenizer.json'), '{}');
      await (await text[name.split('-')[1]](out)).savePretrained(out);
      expect(await readFile(join(out, 'tokenizer.json'), 'utf8')).toBe('{}');
      expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toMatchObject(config);
      const [before, after] = await Promise.all(
        [join(golden, name), out].map(async (f) => (await loadSafetensors(join(f, 'model.safetensors'))).tensors),
      );
      expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
      for (const [key, { data, shape }] of before) expect(after.get(key)).toMatchObject({ shape, data });
    });
});

/** A copy of a golden folder with another config and other tensors. */
async function changed(
  name: string,
  { config = {}, tensors = (t) => t }: { config?: object; tensors?: (t: Map<string, NDArray>) => Map<string, NDArray> },
): Promise<string> {
  const out = await mkdtemp(join(folder, 'changed-'));
  const json = JSON.parse(await readFile(join(golden, name, 'config.json'), 'utf8'));
  await writeFile(join(out, 'config.json'), JSON.stringify({ ...json, ...config }));
  const own = (await loadSafetensors(join(golden, name, 'model.safetensors'))).tensors;
  await saveSafetensors(join(out, 'model.safetensors'), tensors(own));
  return out;
}

const renamed = (rename: (key: string) => string) => (t: Map<string, NDArray>) =>
  new Map([...t].map(([key, value]) => [rename(key), value]));

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => new Error('nothing was refused'),
    (error) => error,
  );
}

describe('checkpoints of other shape', () => {
  const sequence = AutoModelForSequenceClassification;

  it('a backbone gets a new head from the seed, a head gives its backbone', async () => {
    let report: LoadReport | undefined;
    const options: FromPretrainedOptions = {
      labels: ['bad', 'good', 'fine'],
      onLoad: (r) => {
        report = r;
      },
    };
    const draw = async (seed: number) => {
      manualSeed(seed);
      return await sequence.fromPretrained(join(golden, 'bert-base'), options);
    };
    const [one, same, other] = [await draw(1), await draw(1), await draw(2)];
    expect(report).toMatchObject({ newKeys: ['classifier.weight', 'classifier.bias'], unusedKeys: [] });
    const head = async (model: PreTrainedModel, part: string) => await model.stateDict()[`classifier.${part}`].data();
    expect(await head(one, 'weight')).toEqual(await head(same, 'weight'));
    expect(await head(one, 'weight')).not.toEqual(await head(other, 'weight'));
    expect(Math.max(...(await head(one, 'weight')).map(Math.abs))).toBeLessThan(0.02 * 5);
    expect(await head(one, 'bias')).toEqual(new Float32Array(3));
    expect(one.config).toMatchObject({ id2label: { 0: 'bad', 1: 'good', 2: 'fine' }, label2id: { good: 1 } });

    const backbone = await AutoModel.fromPretrained(join(golden, 'bert-masked'), options);
    expect(report?.newKeys).toEqual(['pooler.dense.weight', 'pooler.dense.bias']);
    expect(report?.unusedKeys).toContain('cls.predictions.bias');
    expect(backbone).toBeInstanceOf(BertModel);
  });

  it('old names: gamma and beta, stored positions, tied tensors stored twice', async () => {
    const old = await changed('bert-masked', {
      tensors: (t) => {
        const out = renamed((k) =>
          k.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
        )(t);
        const words = t.get('bert.embeddings.word_embeddings.weight');
        if (words) out.set('cls.predictions.decoder.weight', words);
        return out.set('bert.embeddings.position_ids', { dtype: 'int64', shape: [1, 2], data: new Float64Array(2) });
      },
    });
    let report: LoadReport | undefined;
    const model = await AutoModelForMaskedLM.fromPretrained(old, {
      onLoad: (r) => {
        report = r;
      },
    });
    expect(report).toMatchObject({ newKeys: [], unusedKeys: [] });
    const { inputs, outputs } = await goldenOf('bert-masked');
    const logits = new Map(outputs).get('logits');
    expect(difference(await call(model.eval(), inputs).logits.data(), logits?.data ?? [])).toBeLessThan(1e-5);
  });

  it('half precision becomes float32, and the note of it says so', async () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const halved = (t: Map<string, NDArray>) =>
        new Map(
          [...t].map(([key, { data, shape }]): [string, NDArray] => [
            key,
            { dtype, shape, data: Uint16Array.from(data, (x) => encodeNumber(x, dtype)) },
          ]),
        );
      const source = await changed('bert-sequence', { config: { dtype }, tensors: halved });
      let report: LoadReport | undefined;
      const model = await sequence.fromPretrained(source, {
        onLoad: (r) => {
          report = r;
        },
      });
      expect(report?.dtypes).toEqual([dtype]);
      const { inputs, outputs } = await goldenOf('bert-sequence');
      const wanted = new Map(outputs).get('logits')?.data ?? [];
      expect(difference(await call(model.eval(), inputs).logits.data(), wanted)).toBeLessThan(3e-2);
      await model.savePretrained(source);
      expect(JSON.parse(await readFile(join(source, 'config.json'), 'utf8')).dtype).toBe('float32');
    }
  });

  it('shards are read together; one outside of the folder is refused', async () => {
    const source = await changed('bert-sequence', {});
    const all = [...(await loadSafetensors(join(source, 'model.safetensors'))).tensors];
    await rm(join(source, 'model.safetensors'));
    const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const parts = [all.slice(0, 9), all.slice(9)];
    for (const [i, part] of parts.entries()) await saveSafetensors(join(source, names[i]), new Map(part));
    const map = Object.fromEntries(parts.flatMap((part, i) => part.map(([key]) => [key, names[i]])));
    const index = join(source, 'model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: map }));
    const model = await sequence.fromPretrained(source);
    const { inputs, outputs } = await goldenOf('bert-sequence');
    const wanted = new Map(outputs).get('logits')?.data ?? [];
    expect(difference(await call(model.eval(), inputs).logits.data(), wanted)).toBeLessThan(1e-5);
    await writeFile(index, JSON.stringify({ weight_map: { ...map, x: '../outside.safetensors' } }));
    expect((await failure(sequence.fromPretrained(source))).message).toMatch(/\.\.\/outside\.safetensors/);
  });
});

describe('what is refused', () => {
  const sequence = AutoModelForSequenceClassification;

  it('unknown families and heads, with what there is', async () => {
    const unknown = await failure(
      sequence.fromPretrained(await changed('bert-base', { config: { model_type: 'xlnet' } })),
    );
    expect(unknown).toBeInstanceOf(UnsupportedError);
    expect(unknown.message).toMatch(/no model family 'xlnet'; there are bert, distilbert, roberta, vit/);
    const head = await failure(AutoModelForMaskedLM.fromPretrained(join(golden, 'vit-base')));
    expect(head).toBeInstanceOf(UnsupportedError);
    expect(head.message).toMatch(/vit has no model for maskedLM; it has base, imageClassification/);
  });

  it('missing tensors and other shapes; extra ones are reported', async () => {
    const without = await changed('bert-sequence', {
      tensors: (t) => new Map([...t].filter(([key]) => !key.includes('layer.1.output.dense'))),
    });
    const missing = await failure(sequence.fromPretrained(without));
    expect(missing).toBeInstanceOf(ArgumentError);
    expect(missing.message).toMatch(
      /lacks: bert.encoder.layer.1.output.dense.weight, bert.encoder.layer.1.output.dense.bias/,
    );
    const extra = await changed('bert-sequence', {
      tensors: (t) => new Map(t).set('other.weight', { dtype: 'float32', shape: [1], data: new Float32Array(1) }),
    });
    let unusedKeys: readonly string[] = [];
    await sequence.fromPretrained(extra, {
      onLoad: (r) => {
        unusedKeys = r.unusedKeys;
      },
    });
    expect(unusedKeys).toEqual(['other.weight']);
    const wrong = await failure(
      sequence.fromPretrained(await changed('bert-sequence', { config: { vocab_size: 31 } })),
    );
    expect(wrong).toBeInstanceOf(ShapeError);
    expect(wrong.message).toMatch(/word_embeddings.weight' has shape \[30, 12\].* needs \[31, 12\]; check config.json/);
    const head = await failure(sequence.fromPretrained(join(golden, 'bert-sequence'), { numLabels: 5 }));
    expect(head).toBeInstanceOf(ShapeError);
    expect(head.message).toMatch(/ignoreMismatchedSizes: true/);
    const fresh = { numLabels: 5, ignoreMismatchedSizes: true };
    const model = await sequence.fromPretrained(join(golden, 'bert-sequence'), fresh);
    expect(model.stateDict()['classifier.weight'].shape).toEqual([5, 12]);
  });

  it.each([
    ['bert', { hidden_size: '12' }, /"hidden_size": .*expected number, received string/],
    ['bert', { hidden_size: 13 }, /3 attention heads cannot share a hidden size of 13/],
    ['bert', { layer_norm_eps: null }, /"layer_norm_eps": /],
    ['bert', { num_hidden_layers: 1e9 }, /"num_hidden_layers": /],
    ['bert', { hidden_act: 'magic' }, /activation 'magic' is not known/],
    ['bert', { pad_token_id: 30 }, /"pad_token_id" is 30, but there are 30 tokens/],
    ['bert', { position_embedding_type: 'relative_key' }, /"position_embedding_type": /],
    ['bert', { is_decoder: true }, /"is_decoder": /],
    ['roberta', { max_position_embeddings: 2 }, /positions begin at 2, behind "pad_token_id"/],
    ['distilbert', { n_heads: 5 }, /5 attention heads cannot share a hidden size of 12/],
    ['distilbert', { dim: 'wide' }, /"dim": /],
    ['vit', { patch_size: 9 }, /patches of 9 x 9 do not fit pictures of 8 x 8/],
  ])('config.json of %s with %j', async (family, config, message) => {
    const error = await failure(AutoModel.fromPretrained(await changed(`${family}-base`, { config })));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(message);
  });

  it('a configuration that is no JSON, weights that are only a pickle', async () => {
    const source = await changed('bert-base', {});
    await writeFile(join(source, 'config.json'), '{"model_type": "bert", "layer_norm_eps": NaN}');
    expect(await failure(AutoModel.fromPretrained(source))).toBeInstanceOf(FormatError);
    const pickled = await changed('bert-base', {});
    await rm(join(pickled, 'model.safetensors'));
    await writeFile(join(pickled, 'pytorch_model.bin'), 'x');
    expect((await failure(AutoModel.fromPretrained(pickled))).message).toMatch(/pickle file.*convert it in Python/);
  });

  it('tokens outside of the vocabulary, labels outside of the config, texts that are too long', async () => {
    const model = await sequence.fromPretrained(join(golden, 'bert-sequence'));
    const ids = (rows: number[][]) => tensor(rows, { dtype: 'int64' });
    const forward = (inputs: Record<string, Tensor>) => () => call(model, inputs);
    expect(forward({ inputIds: ids([[1, 30]]) })).toThrow(/inputIds: token id 30 at position 1 .* expected 0 to 29/);
    const labels = tensor([3], { dtype: 'int64' });
    expect(forward({ inputIds: ids([[1, 2]]), labels })).toThrow(/labels: class 3 at position 0 .* expected 0 to 2/);
    expect(forward({ inputIds: zeros([1, 17], { dtype: 'int64' }) })).toThrow(/at most 16 tokens/);
    expect(forward({ inputIds: ids([[1, 2]]), attentionMask: tensor([1, 1]) })).toThrow(/attentionMask: expected/);
    const { data } = await call(model, { inputIds: ids([[1, 2]]), labels: tensor([-100], { dtype: 'int64' }) })
      .loss.array()
      .then((x) => ({ data: x }));
    expect(data).toBeNaN();
  });
});

describe('export', () => {
  const feeds = (model: PreTrainedModel, shape: number[]) => {
    const size = shape.reduce((a, b) => a * b);
    const ids = BigInt64Array.from({ length: size }, (_, i) => BigInt(3 + ((i * 7) % 27)));
    const mask = BigInt64Array.from({ length: size }, (_, i) => (i % shape[shape.length - 1] < 4 ? 1n : 0n));
    const named: [string, BigInt64Array][] = [
      ['input_ids', ids],
      ['attention_mask', mask],
      ...(model.config.typeVocabSize === 2
        ? [['token_type_ids', new BigInt64Array(size)] as [string, BigInt64Array]]
        : []),
    ];
    return named;
  };

  it.each([
    ['bert-base', ['last_hidden_state'], [5, 9]],
    ['bert-sequence', ['logits'], [1, 3]],
    ['bert-question', ['start_logits', 'end_logits'], [4, 16]],
    ['bert-choice', ['logits'], [2, 5, 6]],
    ['roberta-sequence', ['logits'], [4, 11]],
    ['roberta-masked', ['logits'], [1, 14]],
    ['distilbert-token', ['logits'], [3, 13]],
  ])('%s by itself, at other sizes, in plain ONNX Runtime', async (name, outputs, shape) => {
    const model = (await load(name)).eval();
    const session = await InferenceSession.create(Buffer.from(await exportOnnx(model, null)));
    const named = feeds(model, shape);
    expect(session.inputNames).toEqual(named.map(([key]) => key));
    expect(session.outputNames).toEqual(outputs);
    const found = await session.run(
      Object.fromEntries(named.map(([key, data]) => [key, new OrtTensor('int64', data, shape)])),
    );
    const own = call(
      model,
      Object.fromEntries(
        named.map(([key, data]) => [camel(key), fromData(Float64Array.from(data, Number), shape, { dtype: 'int64' })]),
      ),
    );
    for (const key of outputs)
      expect(difference(found[key].data as Float32Array, await own[camel(key)].data()), key).toBeLessThan(1e-5);
    await session.release();
  });

  it('ViT for any number of pictures', async () => {
    const model = (await load('vit-image')).eval();
    const session = await InferenceSession.create(Buffer.from(await exportOnnx(model, null)));
    const pixels = Float32Array.from({ length: 5 * 192 }, (_, i) => Math.sin(i));
    const found = await session.run({ pixel_values: new OrtTensor('float32', pixels, [5, 3, 8, 8]) });
    const own = call(model, { pixelValues: fromData(pixels, [5, 3, 8, 8]) });
    expect(difference(found.logits.data as Float32Array, await own.logits.data())).toBeLessThan(1e-5);
    await session.release();
  });
});

describe('models of one’s own', () => {
  /** The mean of all tokens, scored. */
  class BertForRating extends EncoderWithHead {
    static readonly definition = bertConfig;
    rating: nn.Linear;
    constructor(config: ReturnType<typeof bertConfig.create>) {
      super(config, 'bert', new BertModel(config));
      this.rating = new nn.Linear(config.hiddenSize, 1);
    }
    override forward({ labels, ...inputs }: LabelledInputs) {
      const logits = this.rating.forward(this.backbone.forward(inputs).lastHiddenState.mean(1));
      return labels ? { logits, loss: nn.functional.mseLoss(logits, labels) } : { logits };
    }
  }

  it('a head of a few lines loads, trains, saves and loads again', async () => {
    const model = await BertForRating.fromPretrained(join(golden, 'bert-base'));
    const out = join(folder, 'rating');
    const inputs = { inputIds: tensor([[1, 2, 3]], { dtype: 'int64' }) };
    await model.eval().savePretrained(out);
    const again = (await BertForRating.fromPretrained(out)).eval();
    expect(await again.forward(inputs).logits.data()).toEqual(await model.forward(inputs).logits.data());
    const { tensors } = await loadSafetensors(join(out, 'model.safetensors'));
    expect(tensors.has('rating.weight') && tensors.has('bert.pooler.dense.weight')).toBe(true);
  });

  it('new weights of a configuration', async () => {
    const config = bertConfig.create({
      vocabSize: 30,
      hiddenSize: 12,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      numLabels: 4,
    });
    const model = BertForSequenceClassification.fromConfig(config);
    const words = Float32Array.from(await model.stateDict()['bert.embeddings.word_embeddings.weight'].data());
    expect(words.slice(0, 12)).toEqual(new Float32Array(12));
    const deviation = Math.sqrt(words.slice(12).reduce((s, x) => s + x * x, 0) / (29 * 12));
    expect(deviation).toBeGreaterThan(0.015);
    expect(deviation).toBeLessThan(0.025);
    expect(model.stateDict()['classifier.weight'].shape).toEqual([4, 12]);
    expect(model.toString()).toMatch(/^BertForSequenceClassification\(\n {2}\(bert\): BertModel\(/);
  });
});
