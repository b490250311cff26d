/** @file Sentence encoders: pooling, losses of Python's sentence-transformers, folders, refusals, export. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportOnnx } from '../hub/onnx/index.ts';
import { ArgumentError, FormatError, ShapeError, UnsupportedError } from '../ir/errors.ts';
import { decodeModel } from '../ir/onnx/decode.ts';
import { fromData, type Tensor } from '../tensor/index.ts';
import { loadSafetensors } from '../train/safetensors.ts';
import {
  BertModel,
  cosineSimilarityLoss,
  multipleNegativesRankingLoss,
  type Pooling,
  SentenceEncoder,
  sentenceTripletLoss,
} from './index.ts';

const golden = fileURLToPath(new URL('../../test/golden/transformers/', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-sentences-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

const tokenizerJson = {
  version: '1.0',
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: null,
  decoder: null,
  model: {
    type: 'WordLevel',
    unk_token: '[UNK]',
    vocab: { '[PAD]': 0, '[UNK]': 1, red: 2, green: 3, blue: 4, sky: 5 },
  },
};

const usual = [
  { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
  { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
];

/** A folder as sentence-transformers writes it. */
async function sentenceFolder(pooling: object, modules: unknown = usual): Promise<string> {
  const out = await mkdtemp(join(folder, 'model-'));
  await cp(join(golden, 'bert-base'), out, { recursive: true });
  await mkdir(join(out, '1_Pooling'));
  const files = {
    'tokenizer.json': tokenizerJson,
    'tokenizer_config.json': { tokenizer_class: 'BertTokenizer', pad_token: '[PAD]', unk_token: '[UNK]' },
    'modules.json': modules,
    '1_Pooling/config.json': pooling,
    'sentence_bert_config.json': { max_seq_length: 9, do_lower_case: false },
  };
  for (const [name, json] of Object.entries(files)) await writeFile(join(out, name), JSON.stringify(json));
  return out;
}

describe('pooling', () => {
  it.each<[Pooling, object]>([
    ['mean', { pooling_mode_mean_tokens: true, pooling_mode_cls_token: false }],
    ['cls', { pooling_mode_mean_tokens: false, pooling_mode_cls_token: true }],
    ['max', { embedding_dimension: 12, pooling_mode: 'max' }],
  ])('%s leaves padding out', async (pooling, config) => {
    const encoder = await SentenceEncoder.fromPretrained(await sentenceFolder(config));
    expect(encoder).toMatchObject({ pooling, normalize: false, maxLength: 9 });
    const { tensors } = await loadSafetensors(join(golden, 'bert-base', 'golden.safetensors'));
    const get = (name: string) => {
      const array = tensors.get(name);
      if (!array) throw new Error(name);
      return array;
    };
    const input = (name: string) => fromData(get(`input.${name}`).data, get(`input.${name}`).shape, { dtype: 'int64' });
    const inputs = {
      inputIds: input('input_ids'),
      attentionMask: input('attention_mask'),
      tokenTypeIds: input('token_type_ids'),
    };
    const { data: states } = get('output.last_hidden_state');
    const { data: mask } = get('input.attention_mask');
    const wanted = new Float32Array(3 * 12);
    for (let b = 0; b < 3; b++)
      for (let c = 0; c < 12; c++) {
        const column = Array.from({ length: 7 }, (_, t) => states[(b * 7 + t) * 12 + c]).filter(
          (_, t) => mask[b * 7 + t],
        );
        const mean = column.reduce((x, y) => x + y, 0) / column.length;
        wanted[b * 12 + c] = { mean, cls: column[0], max: Math.max(...column) }[pooling];
      }
    const found = await encoder.forward(inputs).sentenceEmbedding.data();
    for (const [i, x] of wanted.entries()) expect(found[i]).toBeCloseTo(x, 4);
  });
});

describe('texts', () => {
  it('encode gives unit vectors in the order of the texts, whatever the batch', async () => {
    const normal = [
      ...usual,
      { idx: 2, name: '2', path: '2_Normalize', type: 'sentence_transformers.models.Normalize' },
    ];
    const encoder = await SentenceEncoder.fromPretrained(
      await sentenceFolder({ pooling_mode_mean_tokens: true }, normal),
    );
    const texts = ['red', 'green blue sky red', 'sky', 'blue red green'];
    const { data, shape } = await encoder.encode(texts, { batchSize: 2 });
    expect(shape).toEqual([4, 12]);
    for (const [i, text] of texts.entries()) {
      const { data: alone } = await encoder.encode([text]);
      const row = data.subarray(i * 12, (i + 1) * 12);
      for (const [c, x] of alone.entries()) expect(row[c]).toBeCloseTo(x, 5);
      expect(Math.hypot(...row)).toBeCloseTo(1, 5);
    }
    const out = join(folder, 'again');
    await encoder.savePretrained(out);
    const again = await SentenceEncoder.fromPretrained(out);
    expect((await again.encode(texts)).data).toEqual((await encoder.encode(texts)).data);
    expect(JSON.parse(await readFile(join(out, 'modules.json'), 'utf8'))).toEqual(normal);
    const { graph } = decodeModel(await exportOnnx(encoder, null));
    expect(graph.input.map((v) => v.name)).toEqual(['input_ids', 'attention_mask', 'token_type_ids']);
    expect(graph.output.map((v) => v.name)).toEqual(['last_hidden_state', 'sentence_embedding']);
  });

  it('keeps what the files say besides, through loading and saving', async () => {
    const files = {
      'modules.json': [
        { ...usual[0], kwargs: ['task'] },
        { ...usual[1], type: 'sentence_transformers.sentence_transformer.modules.pooling.Pooling', added: 1 },
      ],
      '1_Pooling/config.json': { embedding_dimension: 12, pooling_mode: 'max', include_prompt: true },
      // Longer than the model has positions for.
      'sentence_bert_config.json': {
        max_seq_length: 9000,
        do_lower_case: true,
        transformer_task: 'feature-extraction',
      },
      'config_sentence_transformers.json': { __version__: { pytorch: '2' }, prompts: { query: 'q: ' }, new_key: null },
    };
    const source = await sentenceFolder(files['1_Pooling/config.json'], files['modules.json']);
    for (const [name, json] of Object.entries(files)) await writeFile(join(source, name), JSON.stringify(json));
    const out = join(folder, 'kept');
    const saved = async (name: string) => JSON.parse(await readFile(join(out, name), 'utf8'));
    const encoder = await SentenceEncoder.fromPretrained(source);
    await encoder.savePretrained(out);
    for (const [name, json] of Object.entries(files)) expect(await saved(name), name).toEqual(json);
    // What is changed is written, the rest stays.
    const other = await SentenceEncoder.fromPretrained(out, { pooling: 'cls', maxLength: 5, normalize: true });
    await other.savePretrained(out);
    expect(await saved('1_Pooling/config.json')).toEqual({
      embedding_dimension: 12,
      include_prompt: true,
      pooling_mode_cls_token: true,
      pooling_mode_mean_tokens: false,
      pooling_mode_max_tokens: false,
      pooling_mode_mean_sqrt_len_tokens: false,
    });
    expect(await saved('sentence_bert_config.json')).toEqual({
      ...files['sentence_bert_config.json'],
      max_seq_length: 5,
    });
    expect((await saved('modules.json')).slice(0, 2)).toEqual(files['modules.json']);
    expect((await saved('modules.json'))[2].type).toBe('sentence_transformers.models.Normalize');
    expect(await SentenceEncoder.fromPretrained(out)).toMatchObject({ pooling: 'cls', maxLength: 5, normalize: true });
  });

  it('refuses what it does not know', async () => {
    const fails = async (pooling: object, modules?: unknown) =>
      await SentenceEncoder.fromPretrained(await sentenceFolder(pooling, modules)).catch((error) => error);
    const mean = { pooling_mode_mean_tokens: true };
    const dense = await fails(mean, [...usual, { path: '2_Dense', type: 'sentence_transformers.models.Dense' }]);
    expect(dense).toBeInstanceOf(UnsupportedError);
    expect(dense.message).toMatch(/modules Transformer, Pooling and Normalize are known, found .*Dense/);
    const both = await fails({ ...mean, pooling_mode_cls_token: true });
    expect(both).toBeInstanceOf(UnsupportedError);
    expect(both.message).toMatch(/found mean, cls/);
    expect(await fails(mean, {})).toBeInstanceOf(FormatError);
    const outside = await fails(mean, [{ path: '../x', type: 'sentence_transformers.models.Transformer' }]);
    expect(outside).toBeInstanceOf(FormatError);
    expect(outside.message).toMatch(/path '\.\.\/x' leads out of the folder/);
    const bare = new SentenceEncoder(await BertModel.fromPretrained(join(golden, 'bert-base')));
    await expect(bare.encode(['a'])).rejects.toThrow(ArgumentError);
  });
});

describe('losses', async () => {
  const { tensors } = await loadSafetensors(join(golden, 'sentence-losses.safetensors'));
  const given = (key: string): Tensor => {
    const array = tensors.get(key);
    if (!array) throw new Error(key);
    return fromData(array.data, array.shape);
  };
  const cases: Record<string, (e: Record<string, Tensor>) => Tensor> = {
    ranking: ({ a, p }) => multipleNegativesRankingLoss(a, p),
    ranking_negatives: ({ a, p, n }) => multipleNegativesRankingLoss(a, p, { negatives: [n], scale: 10 }),
    cosine: ({ a, p }) => cosineSimilarityLoss(a, p, given('similarities')),
    triplet: ({ a, p, n }) => sentenceTripletLoss(a, p, n),
    triplet_cosine: ({ a, p, n }) => sentenceTripletLoss(a, p, n, { distance: 'cosine', margin: 0.5 }),
  };
  it.each(Object.keys(cases))('%s', async (name) => {
    const e = Object.fromEntries(['a', 'p', 'n'].map((key) => [key, given(key)]));
    for (const x of Object.values(e)) x.requiresGrad = true;
    const loss = cases[name](e);
    loss.backward();
    expect(await loss.item()).toBeCloseTo(tensors.get(`${name}.loss`)?.data[0] ?? Number.NaN, 5);
    for (const [key, x] of Object.entries(e)) {
      const wanted = tensors.get(`${name}.grad.${key}`);
      const found = await x.grad?.data();
      if (wanted) for (const [i, value] of wanted.data.entries()) expect(found?.[i]).toBeCloseTo(value, 5);
    }
  });

  it('embeddings of different shapes', () => {
    const wide = fromData(new Float32Array(28), [4, 7]);
    expect(() => multipleNegativesRankingLoss(given('a'), wide)).toThrow(ShapeError);
  });
});
