/** @file Texts as token ids, loaders that pad little, scores of classifiers, parameter groups. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Tokenizer, trainTokenizer } from '../hub/index.ts';
import { manualSeed } from '../tensor/index.ts';
import {
  AutoModelForSequenceClassification,
  decayGroups,
  paddingShare,
  saveForInference,
  TextClassifier,
  textLoader,
  tokenizeTexts,
} from './index.ts';

let tokenizer: Tokenizer;
let folder: string;
const corpus = ['a slow start', 'a good film', 'the film is good and slow', 'start the good film'];
beforeAll(async () => {
  tokenizer = await trainTokenizer(corpus, { type: 'wordpiece', vocabSize: 60, modelMaxLength: 32 });
  folder = await mkdtemp(join(tmpdir(), 'gradus-texts-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const words = (count: number) => Array.from({ length: count }, () => 'a').join(' ');

function tinyModel(changes: Readonly<Record<string, unknown>> = {}) {
  manualSeed(5);
  return AutoModelForSequenceClassification.fromConfig({
    model_type: 'bert',
    vocab_size: tokenizer.vocabSize,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 32,
    id2label: { 0: 'bad', 1: 'fine', 2: 'good' },
    ...changes,
  }).eval();
}

describe('tokenizeTexts', () => {
  it('knows the lengths before texts were cut', async () => {
    const texts = await tokenizeTexts(tokenizer, [words(3), words(1), words(20), words(8)], { maxLength: 12 });
    expect([...texts.lengths]).toEqual([5, 3, 12, 10]);
    expect(texts.statistics()).toEqual({ texts: 4, tokens: 40, median: 5, p95: 22, longest: 22, truncated: 0.25 });
    const cut = texts.get(2).inputIds;
    expect([cut[0], cut[11]]).toEqual([tokenizer.clsTokenId, tokenizer.sepTokenId]);
    expect([...texts.pick([3, 1]).lengths]).toEqual([10, 3]);
  });

  it('reads pairs, an empty text, and only the beginning of a very long one', async () => {
    const pairs = await tokenizeTexts(tokenizer, ['a good film', ''], { textPairs: ['slow', ''], maxLength: 16 });
    expect([...(pairs.get(0).tokenTypeIds ?? [])]).toEqual([0, 0, 0, 0, 0, 1, 1]);
    expect(pairs.get(1).inputIds.length).toBe(3);
    const long = await tokenizeTexts(tokenizer, ['a '.repeat(5_000_000)], { maxLength: 16 });
    expect(long.statistics().longest).toBe(32_770);
  });

  it('refuses what is no text', async () => {
    await expect(tokenizeTexts(tokenizer, ['a', null as never])).rejects.toThrow('text 1 is null, not text');
    await expect(tokenizeTexts(tokenizer, ['a'], { labels: [0, 1] })).rejects.toThrow('2 labels for 1 texts');
    await expect(tokenizeTexts(tokenizer, ['a'], { maxLength: 2 })).rejects.toThrow('maxLength must be a whole number');
    const texts = await tokenizeTexts(tokenizer, ['a']);
    expect(() => texts.get(1)).toThrow('text 1 does not exist: there are 1');
  });
});

describe('textLoader', () => {
  it('gives every text once, in at most 8 lengths, with mask and labels', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 40 }),
        fc.boolean(),
        async (counts, shuffle) => {
          const texts = await tokenizeTexts(tokenizer, counts.map(words), {
            labels: counts.map((_, i) => i),
            maxLength: 64,
          });
          const lengths = new Set<number>();
          const seen: number[] = [];
          let [real, computed] = [0, 0];
          for await (const batch of textLoader(texts, { batchSize: 4, shuffle, seed: 2 })) {
            lengths.add(batch.inputIds.shape[1]);
            const mask = await batch.attentionMask.data();
            for (const value of mask) real += value;
            computed += mask.length;
            for (const label of (await batch.labels?.data()) ?? []) seen.push(label);
            expect(batch.tokenTypeIds?.shape).toEqual(batch.inputIds.shape);
          }
          expect(lengths.size).toBeLessThanOrEqual(8);
          expect(seen.sort((a, b) => a - b)).toEqual(counts.map((_, i) => i));
          expect(paddingShare(texts, { batchSize: 4, shuffle, seed: 2 })).toBeCloseTo(1 - real / computed, 10);
        },
      ),
      { numRuns: 20, seed: 1 },
    );
  });
});

describe('TextClassifier', () => {
  it('answers in the order of the texts, whatever the batches', async () => {
    const classifier = new TextClassifier(tinyModel(), tokenizer);
    const texts = [words(9), 'a slow film', '', words(20), 'good'];
    const together = await classifier.classify(texts, { topK: 3, batchSize: 2 });
    for (const [i, text] of texts.entries()) {
      const [alone] = await classifier.classify([text], { topK: 3 });
      expect(alone.map(({ label }) => label)).toEqual(together[i].map(({ label }) => label));
      for (const [k, { score }] of alone.entries()) expect(together[i][k].score).toBeCloseTo(score, 5);
      expect(alone.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
    }
    expect((await classifier.classify(['good']))[0]).toHaveLength(1);
  });

  it('gives each of several labels its own probability, and a regression its number', async () => {
    const logits = (await new TextClassifier(tinyModel(), tokenizer).logits(['a good film'])).data;
    const many = new TextClassifier(tinyModel({ problem_type: 'multi_label_classification' }), tokenizer);
    for (const { label, score } of (await many.classify(['a good film'], { topK: 3 }))[0])
      expect(score).toBeCloseTo(1 / (1 + Math.exp(-logits[many.labels.indexOf(label)])), 6);
    const regression = new TextClassifier(
      tinyModel({ problem_type: 'regression', id2label: { 0: 'stars' } }),
      tokenizer,
    );
    const [[{ label, score }]] = await regression.classify(['a good film']);
    expect(label).toBe('stars');
    expect(score).toBe((await regression.logits(['a good film'])).data[0]);
  });

  it('comes back from its folder with the same scores; a vocabulary that does not fit is refused', async () => {
    const classifier = new TextClassifier(tinyModel(), tokenizer);
    await saveForInference(classifier.model, tokenizer, folder);
    const again = await TextClassifier.fromPretrained(folder);
    expect(again.maxLength).toBe(32);
    expect(await again.classify(corpus, { topK: 3 })).toEqual(await classifier.classify(corpus, { topK: 3 }));
    const file = join(folder, 'tokenizer.json');
    const json = JSON.parse(await readFile(file, 'utf8'));
    json.model.vocab.superfluous = tokenizer.vocabSize;
    await writeFile(file, JSON.stringify(json));
    await expect(TextClassifier.fromPretrained(folder)).rejects.toThrow('they do not belong together');
  });
});

describe('decayGroups', () => {
  it('leaves biases and norms, and what is frozen, alone', () => {
    const model = tinyModel();
    model.freeze('bert.embeddings.word_embeddings');
    const names = new Map(model.namedParameters().map(([name, p]) => [p, name]));
    const [decayed, free] = decayGroups(model, 0.01).map(({ params }) => params.map((p) => names.get(p)));
    expect(decayed).toContain('bert.encoder.layer.0.output.dense.weight');
    expect(decayed).toContain('bert.embeddings.position_embeddings.weight');
    expect(free).toContain('bert.encoder.layer.0.output.LayerNorm.weight');
    expect(free).toContain('classifier.bias');
    expect(free.filter((name) => !name?.endsWith('.bias') && !name?.includes('LayerNorm'))).toEqual([]);
    expect([...decayed, ...free]).not.toContain('bert.embeddings.word_embeddings.weight');
    expect(decayed.length + free.length).toBe(model.parameters().length - 1);
  });
});
