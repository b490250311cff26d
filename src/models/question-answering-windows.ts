/** @file Questions with their contexts as token ids: overlapping windows of long contexts, and where answers lie in them. */
import { Dataset } from '../data/dataset.ts';
import { DataLoader } from '../data/index.ts';
import type { Encoding, Tokenizer } from '../hub/tokenizer/index.ts';
import { ArgumentError } from '../ir/errors.ts';
import type { NDArray } from '../ir/ndarray.ts';
import { checkWhole } from '../ir/options.ts';
import type { AnswerText, Question } from './question-answering-data.ts';
import {
  bucketSampler,
  column,
  padTokens,
  type TextLoaderOptions,
  type TokenLengths,
  usualMultiple,
} from './tokenized-texts.ts';

/** A question with as much of its context as a model reads at once. */
export interface QuestionWindow {
  readonly inputIds: Int32Array;
  readonly tokenTypeIds?: Int32Array;
  /** Which of the questions it belongs to. */
  readonly question: number;
  /** Token that stands for "no answer here": [CLS]. */
  readonly clsIndex: number;
  /** First token of the context. */
  readonly contextStart: number;
  /** Where the context's tokens begin and end in the context, in UTF-16 units. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** First and last token of the answer, both `clsIndex` where the window does not hold it whole; undefined without answers. */
  readonly startPosition?: number;
  readonly endPosition?: number;
}

export interface TokenizeQuestionsOptions {
  /** Tokens of a window, question and special ones included. Default 384. */
  readonly maxLength?: number;
  /** Tokens of the context that two neighbouring windows share. Default 128, at most half of `maxLength`. */
  readonly stride?: number;
  /** Tokens of a question that are read. Default 64, at most a quarter of `maxLength`. */
  readonly maxQuestionLength?: number;
  /** Called with the number of questions done, a few times a second. */
  readonly onProgress?: (done: number) => void;
}

/** Windows of many questions. */
export class QuestionWindows extends Dataset<QuestionWindow> implements TokenLengths {
  /** Number of questions. */
  readonly questions: number;
  readonly maxLength: number;
  readonly padTokenId: number;
  /** Tokens of each window. */
  readonly lengths: Uint32Array;
  /** Windows that hold an answer. */
  readonly answered: number;
  readonly #windows: readonly QuestionWindow[];

  /** Made by `tokenizeQuestions`. */
  constructor(
    windows: readonly QuestionWindow[],
    { questions, maxLength, padTokenId }: { questions: number; maxLength: number; padTokenId: number },
  ) {
    super();
    this.#windows = windows;
    this.questions = questions;
    this.maxLength = maxLength;
    this.padTokenId = padTokenId;
    this.lengths = Uint32Array.from(windows, ({ inputIds }) => inputIds.length);
    this.answered = windows.reduce((n, w) => n + Number((w.startPosition ?? w.clsIndex) !== w.clsIndex), 0);
  }

  get length(): number {
    return this.#windows.length;
  }

  get(index: number): QuestionWindow {
    const window = this.#windows[index];
    if (!window) throw new ArgumentError(`window ${index} does not exist: there are ${this.length}, counted from 0`);
    return window;
  }
}

/** Time between two turns of the event loop, in milliseconds. */
const tick = 200;

/**
 * Encodes questions with their contexts, as transformers' run_qa.py does: a context that is longer than a window becomes
 * several. Questions lose leading spaces and what exceeds `maxQuestionLength`. The first of a question's answers is
 * located by the tokens' positions in the context.
 * @throws ArgumentError for an empty question or context, an answer that is not where it is said to be, or windows with
 *   no room for a context, naming the question.
 */
export async function tokenizeQuestions(
  tokenizer: Tokenizer,
  questions: readonly Question[],
  options: TokenizeQuestionsOptions = {},
): Promise<QuestionWindows> {
  const { maxLength = 384, onProgress } = options;
  checkWhole('tokenizeQuestions: maxLength', maxLength, 8);
  const { stride = Math.min(128, maxLength >> 1), maxQuestionLength = Math.min(64, maxLength >> 2) } = options;
  checkWhole('tokenizeQuestions: stride', stride, 0);
  checkWhole('tokenizeQuestions: maxQuestionLength', maxQuestionLength, 1);
  const room = maxLength - maxQuestionLength - tokenizer.numSpecialTokensToAdd(true);
  if (room < 1)
    throw new ArgumentError(
      `tokenizeQuestions: windows of ${maxLength} tokens have no room for a context beside questions of ${maxQuestionLength}; choose a larger maxLength or a smaller maxQuestionLength`,
    );
  const windows: QuestionWindow[] = [];
  let last = performance.now();
  for (const [i, question] of questions.entries()) {
    checkQuestion(question, i);
    const asked = shorten(tokenizer, question.question.trimStart(), maxQuestionLength);
    // A context of few tokens fits beside its question whole; the others share `stride` tokens, or as many as can be.
    const free = maxLength - asked.length - tokenizer.numSpecialTokensToAdd(true);
    const encoding = tokenizer.encode(asked.text, {
      textPair: question.context,
      truncation: 'onlySecond',
      maxLength,
      stride: Math.min(stride, free - 1),
      returnOverflowingTokens: true,
      returnOffsetsMapping: true,
    });
    for (const part of [encoding, ...(encoding.overflowing ?? [])])
      windows.push(windowOf(part, i, question.answers, tokenizer));
    if (performance.now() - last < tick) continue;
    onProgress?.(i + 1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  }
  return new QuestionWindows(windows, {
    questions: questions.length,
    maxLength,
    padTokenId: tokenizer.padTokenId ?? 0,
  });
}

function checkQuestion({ question, context, answers }: Question, i: number): void {
  for (const [name, text] of Object.entries({ question, context })) {
    if (typeof text !== 'string')
      throw new ArgumentError(`question ${i}: the ${name} is ${text === null ? 'null' : typeof text}, not text`);
    if (text.trim() === '') throw new ArgumentError(`question ${i}: the ${name} is empty`);
  }
  for (const { text, start } of answers ?? [])
    if (text === '' || !context.startsWith(text, start))
      throw new ArgumentError(
        `question ${i}: the context has ${JSON.stringify(context.slice(start, start + text.length))} at ${start}, not the answer ${JSON.stringify(text)}; positions count UTF-16 units (squadQuestions converts those of SQuAD's files)`,
      );
}

/** The beginning of a question, and its tokens without special ones. */
function shorten(tokenizer: Tokenizer, text: string, most: number): { text: string; length: number } {
  const { inputIds, offsetMapping } = tokenizer.encode(text, { addSpecialTokens: false, returnOffsetsMapping: true });
  if (inputIds.length <= most) return { text, length: inputIds.length };
  const end = offsetMapping?.[most - 1][1] ?? text.length;
  return { text: text.slice(0, end), length: most };
}

function windowOf(
  encoding: Encoding,
  question: number,
  answers: readonly AnswerText[] | undefined,
  tokenizer: Tokenizer,
): QuestionWindow {
  const { inputIds, tokenTypeIds, sequenceIds, offsetMapping = [] } = encoding;
  const contextStart = Math.max(0, sequenceIds.indexOf(1));
  const context = offsetMapping.filter((_, i) => sequenceIds[i] === 1);
  const clsIndex = Math.max(0, tokenizer.clsTokenId === undefined ? 0 : inputIds.indexOf(tokenizer.clsTokenId));
  const starts = Int32Array.from(context, ([start]) => start);
  const ends = Int32Array.from(context, ([, end]) => end);
  return {
    inputIds: Int32Array.from(inputIds),
    ...(tokenTypeIds ? { tokenTypeIds: Int32Array.from(tokenTypeIds) } : {}),
    question,
    clsIndex,
    contextStart,
    starts,
    ends,
    ...(answers ? positions(answers.at(0), { starts, ends, contextStart, clsIndex }) : {}),
  };
}

/** First and last token of an answer; [CLS] where the window lacks any of it. */
function positions(
  answer: AnswerText | undefined,
  { starts, ends, contextStart, clsIndex }: Pick<QuestionWindow, 'starts' | 'ends' | 'contextStart' | 'clsIndex'>,
): { startPosition: number; endPosition: number } {
  const none = { startPosition: clsIndex, endPosition: clsIndex };
  if (!answer) return none;
  const [from, to] = [answer.start, answer.start + answer.text.length];
  const first = starts.findLastIndex((start) => start <= from);
  const last = ends.findIndex((end) => end >= to);
  return first < 0 || last < first ? none : { startPosition: contextStart + first, endPosition: contextStart + last };
}

/** What a model for questions learns from, each [batch]: int64. */
interface SpanTargets {
  startPositions: NDArray;
  endPositions: NDArray;
}

/**
 * Batches of windows of similar length, padded to few distinct lengths: int64 `inputIds`, `attentionMask` and
 * `tokenTypeIds` [batch, sequence], and `startPositions`, `endPositions` [batch] where the answers are known.
 */
export function questionLoader(
  windows: QuestionWindows,
  { batchSize = 16, shuffle = false, seed = 0, multipleOf = usualMultiple(windows) }: TextLoaderOptions = {},
) {
  return new DataLoader<QuestionWindow, ReturnType<typeof padTokens> & Partial<SpanTargets>>(windows, {
    batchSize,
    sampler: bucketSampler(windows, { batchSize, shuffle, seed }),
    seed,
    collate: (samples) => ({ ...padTokens(samples, { ...windows, multipleOf }), ...targetsOf(samples) }),
  });
}

function targetsOf(samples: readonly QuestionWindow[]): Partial<SpanTargets> {
  const starts = samples.flatMap(({ startPosition }) => (startPosition === undefined ? [] : [startPosition]));
  const ends = samples.flatMap(({ endPosition }) => (endPosition === undefined ? [] : [endPosition]));
  if (starts.length !== samples.length) return {};
  return { startPositions: column(starts), endPositions: column(ends) };
}
