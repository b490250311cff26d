/** @file Question answering: windows, spans and scores beside Python's, the pipeline, and a model that learns to answer. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AutoTokenizer, OnnxModel, type Tokenizer } from '../hub/index.ts';
import * as optim from '../optim/index.ts';
import { manualSeed } from '../tensor/index.ts';
import { Trainer } from '../train/index.ts';
import {
  AutoModelForQuestionAnswering,
  normalizeAnswer,
  QuestionAnswerer,
  questionLoader,
  saveForInference,
  squadQuestions,
  squadScores,
  tokenizeQuestions,
} from './index.ts';
import { bestSpans, isWithinWord } from './question-answering-spans.ts';

interface Golden {
  scores: { answer: string; expected: string[]; normalized: string; exact: number; f1: number }[];
  tokenizer: Record<string, unknown>;
  context: string;
  windows: {
    question: string;
    answer: { text: string; start: number } | null;
    maxLength: number;
    stride: number;
    rows: { ids: number[]; types: number[]; contextStart: number; offsets: number[][]; position: number[] }[];
  }[];
  spans: {
    start: number[];
    end: number[];
    contextStart: number;
    tokens: number;
    topK: number;
    maxAnswerLen: number;
    spans: [number, number, number][];
    nullScore: number;
  }[];
}
const file = new URL('../../test/golden/question_answering.json', import.meta.url);
const golden: Golden = JSON.parse(readFileSync(file, 'utf8'));
const { context } = golden;

let tokenizer: Tokenizer;
let folder: string;
beforeAll(async () => {
  tokenizer = await AutoTokenizer.fromFiles({
    'tokenizer.json': JSON.stringify(golden.tokenizer),
    'tokenizer_config.json': JSON.stringify({
      tokenizer_class: 'BertTokenizer',
      cls_token: '[CLS]',
      sep_token: '[SEP]',
      pad_token: '[PAD]',
      unk_token: '[UNK]',
      model_max_length: 64,
    }),
  });
  folder = await mkdtemp(join(tmpdir(), 'gradus-questions-'));
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

function tinyModel() {
  manualSeed(5);
  return AutoModelForQuestionAnswering.fromConfig({
    model_type: 'bert',
    vocab_size: tokenizer.vocabSize,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 64,
    initializer_range: 0.5,
  }).eval();
}

describe('squadScores', () => {
  it('normalises and scores as the official programs', () => {
    for (const { answer, expected, normalized, exact, f1 } of golden.scores) {
      expect(normalizeAnswer(answer)).toBe(normalized);
      const scores = squadScores([answer], [expected]);
      expect(scores.exactMatch).toBe(exact);
      expect(scores.f1).toBeCloseTo(f1, 12);
    }
    const all = squadScores(
      golden.scores.map(({ answer }) => answer),
      golden.scores.map(({ expected }) => expected),
    );
    expect(all.f1).toBeCloseTo(golden.scores.reduce((sum, { f1 }) => sum + f1, 0) / golden.scores.length, 12);
    expect(all.questions).toBe(golden.scores.length);
    expect(() => squadScores(['a'], [])).toThrow('1 answers and 0 lists');
  });
});

describe('tokenizeQuestions', () => {
  it('makes the windows of run_qa.py, with answers located by positions', async () => {
    for (const { question, answer, maxLength, stride, rows } of golden.windows) {
      const asked = { question, context, answers: answer ? [answer] : [] };
      const windows = await tokenizeQuestions(tokenizer, [asked], { maxLength, stride });
      expect(windows.length).toBe(rows.length);
      for (const [i, row] of rows.entries()) {
        const window = windows.get(i);
        expect([...window.inputIds]).toEqual(row.ids);
        expect([...(window.tokenTypeIds ?? [])]).toEqual(row.types);
        expect(window.contextStart).toBe(row.contextStart);
        expect([...window.starts].map((start, k) => [start, window.ends[k]])).toEqual(row.offsets);
        expect([window.startPosition, window.endPosition]).toEqual(row.position);
      }
    }
  });

  it('covers every context, and every answer in some window', async () => {
    const words = fc.constantFrom('the', 'tower', 'Eiffel', '1889', '東京', '😀', 'x', '.', 'é');
    await fc.assert(
      fc.asyncProperty(
        fc.array(words, { minLength: 1, maxLength: 60 }),
        fc.nat(59),
        fc.integer({ min: 12, max: 40 }),
        async (list, at, maxLength) => {
          const text = list.join(' ');
          const word = list[at % list.length];
          const start = list.slice(0, at % list.length).join(' ').length + (at % list.length ? 1 : 0);
          const asked = { question: 'who built it?', context: text, answers: [{ text: word, start }] };
          const windows = await tokenizeQuestions(tokenizer, [asked], { maxLength });
          const held = await Promise.all(Array.from({ length: windows.length }, async (_, i) => windows.get(i)));
          const covered = new Set(held.flatMap(({ starts }) => [...starts]));
          for (const { index } of text.matchAll(/\S+/g)) expect(covered).toContain(index);
          expect(windows.answered).toBeGreaterThan(0);
          for (const { inputIds, startPosition = 0, endPosition = 0, ...window } of held) {
            expect(inputIds.length).toBeLessThanOrEqual(maxLength);
            if (!startPosition) continue;
            const from = window.starts[startPosition - window.contextStart];
            expect(text.slice(from, window.ends[endPosition - window.contextStart])).toBe(word);
          }
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  it('shortens long questions and refuses what cannot be', async () => {
    const long = await tokenizeQuestions(tokenizer, [{ question: `  ${'who '.repeat(80)}`, context }], {
      maxLength: 64,
    });
    expect(long.get(0).contextStart).toBe(18);
    const ask = async (question: string, text: string, start = 0) =>
      await tokenizeQuestions(tokenizer, [{ question, context: text, answers: [{ text: 'Paris', start }] }]);
    await expect(ask(' ', 'Paris')).rejects.toThrow('question 0: the question is empty');
    await expect(ask('who', '')).rejects.toThrow('question 0: the context is empty');
    await expect(ask('who', 'In Paris', 2)).rejects.toThrow('the context has " Pari" at 2, not the answer "Paris"');
    const few = tokenizeQuestions(tokenizer, [], { maxLength: 20, maxQuestionLength: 17 });
    await expect(few).rejects.toThrow('no room for a context');
  });
});

describe('squadQuestions', () => {
  it('counts in UTF-16 units what the file counts in code points', () => {
    const qas = [{ id: 'q', question: 'Where?', answers: [{ text: 'Paris', answer_start: 5 }] }];
    const json = { data: [{ title: 'T', paragraphs: [{ context: '😀 in Paris', qas }] }] };
    expect(squadQuestions(json)[0].answers).toEqual([{ text: 'Paris', start: 6 }]);
    expect(() => squadQuestions({ data: [{ paragraphs: [{}] }] }, 'x.json')).toThrow('x.json: data.0.paragraphs.0');
    qas[0].answers[0].answer_start = 4;
    expect(() => squadQuestions(json)).toThrow('question q: the context has " Pari" at 4');
  });
});

describe('bestSpans', () => {
  it("gives the passages and scores of the transformers pipeline's rule", () => {
    for (const { start, end, contextStart, tokens, topK, maxAnswerLen, ...expected } of golden.spans) {
      const places = new Int32Array(tokens);
      const window = { inputIds: new Int32Array(start.length), question: 0, clsIndex: 0, contextStart };
      const found = bestSpans(start, end, { ...window, starts: places, ends: places }, { topK, maxAnswerLen });
      expect(found.nullScore).toBeCloseTo(expected.nullScore, 10);
      const spans = found.spans.map(({ first, last }) => [first + contextStart, last + contextStart]);
      expect(spans).toEqual(expected.spans.map(([first, last]) => [first, last]));
      for (const [i, { score }] of found.spans.entries()) expect(score).toBeCloseTo(expected.spans[i][2], 10);
    }
  });

  it('knows where words are', () => {
    const within = (text: string) => [...text].map((_, i) => isWithinWord(text, i));
    expect(within('ab, 1é')).toEqual([false, true, false, false, false, true]);
    expect(within('東京')).toEqual([false, false]);
  });
});

describe('QuestionAnswerer', () => {
  it('answers the same alone and together, whatever the windows of others', async () => {
    const answerer = new QuestionAnswerer(tinyModel(), tokenizer);
    expect(answerer.maxLength).toBe(64);
    const questions = ['Who built it?', 'Where?'].map((question) => ({ question, context }));
    questions.push({ question: 'When?', context: 'In 1889.' });
    const options = { topK: 3, batchSize: 2, stride: 8, maxLength: 32 };
    const together = await answerer.answers(questions, options);
    for (const [i, asked] of questions.entries()) {
      const [alone] = await answerer.answers([asked], options);
      for (const [k, { answer, score, start, end }] of alone.entries()) {
        expect(answer).toBe(asked.context.slice(start, end));
        expect(isWithinWord(asked.context, start) || isWithinWord(asked.context, end)).toBe(false);
        expect(together[i][k].score).toBeCloseTo(score, 5);
        expect([together[i][k].start, together[i][k].end]).toEqual([start, end]);
      }
    }
    const best = await answerer.answer('When?', 'In 1889.');
    expect(best.score).toBeCloseTo(together[2][0].score, 5);
    const [[first, second]] = await answerer.answers([questions[2]], { topK: 2, handleImpossibleAnswer: true });
    expect([first.answer, second.answer].filter((answer) => answer === '').length).toBeLessThanOrEqual(1);
    await expect(answerer.answer('', 'x')).rejects.toThrow('question 0: the question is empty');
  });

  it('learns to answer, and its folder opens again with the same answers', { timeout: 120_000 }, async () => {
    const [places, times] = [
      ['paris', 'company', 'tower', 'metres'],
      ['18', '30', '330', '1889'],
    ];
    const questions = places.flatMap((place) =>
      times.flatMap((time) => {
        const text = `It was built in ${time} by the ${place}.`;
        return [
          { question: 'When was it built?', context: text, answers: [{ text: time, start: text.indexOf(time) }] },
          { question: 'Who built it?', context: text, answers: [{ text: place, start: text.indexOf(place) }] },
        ];
      }),
    );
    const model = tinyModel().train();
    const windows = await tokenizeQuestions(tokenizer, questions, { maxLength: 64 });
    const trainer = new Trainer(model, { optimizer: optim.adamw({ lr: 1e-2 }), clipNorm: 1, seed: 1 });
    await trainer.fit(questionLoader(windows, { batchSize: 8, shuffle: true, seed: 1 }), { epochs: 12 });
    await saveForInference(model, tokenizer, folder);
    const answerer = await QuestionAnswerer.fromPretrained(folder);
    const answers = (await answerer.answers(questions)).map(([{ answer }]) => answer);
    const { exactMatch } = squadScores(
      answers,
      questions.map((q) => q.answers.map(({ text }) => text)),
    );
    expect(exactMatch).toBeGreaterThan(0.9);
    const onnx = await OnnxModel.load(join(folder, 'model.onnx'));
    expect(onnx.outputNames).toEqual(['start_logits', 'end_logits']);
  });
});
