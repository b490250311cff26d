/** @file Token classification: labels at words, passages by every strategy, a model that learns. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Tokenizer, trainTokenizer } from '../hub/index.ts';
import * as optim from '../optim/index.ts';
import { manualSeed } from '../tensor/index.ts';
import { Trainer } from '../train/index.ts';
import { AutoModelForTokenClassification, TokenClassifier, tokenizeWords, wordLoader } from './index.ts';

const people = ['Ada Lovelace', 'Alan Turing', 'Grace Hopper'];
const places = ['Paris', 'London', 'Zanzibar'];
const labels = ['O', 'B-PER', 'I-PER', 'B-LOC'];
const sentences = people.flatMap((person) =>
  places.map((place) => {
    const words = [...person.split(' '), 'lives', 'in', place, '.'];
    return { words, tags: [1, 2, 0, 0, 3, 0] };
  }),
);
let tokenizer: Tokenizer;
beforeAll(async () => {
  const corpus = ['lives in London . Ada Alan Grace', 'Paris in lives', ...'abcdefghijklmnopqrstuvwxyz'];
  tokenizer = await trainTokenizer(corpus, { type: 'wordpiece', vocabSize: 90, modelMaxLength: 32 });
});

function tinyModel() {
  manualSeed(5);
  return AutoModelForTokenClassification.fromConfig({
    model_type: 'bert',
    vocab_size: tokenizer.vocabSize,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 32,
    initializer_range: 0.3,
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
  });
}

describe('tokenizeWords', () => {
  it("puts a word's label at its first token", async () => {
    const words = ['Zanzibar', '(', 'lives', ')', 'x-y'];
    const rows = await tokenizeWords(tokenizer, [words], { labels: [[3, 0, 1, 0, 2]] });
    const { inputIds, labels: targets = [] } = rows.get(0);
    const starts = [...targets].flatMap((label, i) => (label === -100 ? [] : [[inputIds[i], label]]));
    expect(starts.map(([, label]) => label)).toEqual([3, 0, 1, 0, 2]);
    for (const [i, word] of words.entries())
      expect(starts[i][0]).toBe(tokenizer.encode(word, { addSpecialTokens: false }).inputIds[0]);
    expect([targets[0], targets[targets.length - 1]]).toEqual([-100, -100]);
    expect(rows.lostWords).toBe(0);
  });

  it('counts what is cut off, pads labels with -100, and refuses what does not fit', async () => {
    const cut = await tokenizeWords(tokenizer, [Array(20).fill('in'), ['in']], {
      labels: [Array(20).fill(1), [0]],
      maxLength: 12,
    });
    expect(cut.lostWords).toBe(10);
    for await (const batch of wordLoader(cut, { batchSize: 2 })) {
      expect(batch.labels?.shape).toEqual([2, 12]);
      expect(Array.from((await batch.labels?.data()) ?? []).slice(12, 16)).toEqual([-100, 0, -100, -100]);
    }
    await expect(tokenizeWords(tokenizer, [['a', 'b']], { labels: [[1]] })).rejects.toThrow(
      'sentence 0 has 2 words and 1 labels',
    );
  });
});

describe('TokenClassifier', () => {
  it('learns names, and gives passages of several words', { timeout: 120_000 }, async () => {
    const model = tinyModel();
    const options = { labels: sentences.map(({ tags }) => tags), maxLength: 32 };
    const rows = await tokenizeWords(
      tokenizer,
      sentences.map(({ words }) => words),
      options,
    );
    const trainer = new Trainer(model, { optimizer: optim.adamw({ lr: 1e-2 }), seed: 1 });
    await trainer.fit(wordLoader(rows, { batchSize: 9 }), { epochs: 40 });
    const tagger = new TokenClassifier(model, tokenizer);
    const text = 'Alan Turing lives in Zanzibar .';
    const [[person, place], [other]] = await tagger.classify([text, 'Paris .'], { aggregationStrategy: 'first' });
    expect(person).toMatchObject({ entity: 'PER', word: 'Alan Turing', start: 0, end: 11 });
    expect(place).toMatchObject({ entity: 'LOC', word: 'Zanzibar', start: 21, end: 29 });
    expect(person.score).toBeGreaterThan(0.7);
    expect(other === undefined || other.end <= 7).toBe(true);
    for (const aggregationStrategy of ['simple', 'max', 'average'] as const) {
      const [found] = await tagger.classify([text], { aggregationStrategy, ignoreLabels: [] });
      expect(found.map(({ word }) => word).join('')).toContain('lives');
      for (const { word, start, end, score } of found) {
        expect(word).toBe(text.slice(start, end));
        expect(score <= 1 && score > 0).toBe(true);
      }
    }
    const [tokens] = await tagger.classify([text], { ignoreLabels: [] });
    expect(tokens.length).toBe(tokenizer.encode(text, { addSpecialTokens: false }).inputIds.length);
  });
});
