/** @file Question answering with a pretrained model: passages of texts that answer questions. */
import type { Tokenizer } from '../hub/tokenizer/index.ts';
import { checkWhole } from '../ir/options.ts';
import type { Tensor } from '../tensor/index.ts';
import { AutoModelForQuestionAnswering } from './auto.ts';
import { inference, loadWithTokenizer, longestInput } from './inference.ts';
import type { FromPretrainedOptions, PreTrainedModel } from './pretrained-model.ts';
import type { Question } from './question-answering-data.ts';
import { bestSpans, isWithinWord, type TokenSpan } from './question-answering-spans.ts';
import {
  type QuestionWindow,
  type QuestionWindows,
  questionLoader,
  type TokenizeQuestionsOptions,
  tokenizeQuestions,
} from './question-answering-windows.ts';
import { orderByLength, type TextBatch, usualMultiple } from './tokenized-texts.ts';

/** A passage that answers a question, with names as in transformers. */
export interface Answer {
  /** `context.slice(start, end)`; empty where the context has no answer. */
  readonly answer: string;
  /** From 0 to 1. */
  readonly score: number;
  /** In UTF-16 units, as JavaScript counts. */
  readonly start: number;
  readonly end: number;
}

export interface AnswerOptions {
  /** Tokens of an answer at most; default 15. */
  readonly maxAnswerLen?: number;
  /** Whether "no answer" (an empty one) takes part. Default false. */
  readonly handleImpossibleAnswer?: boolean;
  /** Whether answers that begin or end within a word become whole words. Default true. */
  readonly alignToWords?: boolean;
}

export interface AnswersOptions extends AnswerOptions, Omit<TokenizeQuestionsOptions, 'onProgress'> {
  /** Answers to each question, the most probable first; default 1. */
  readonly topK?: number;
  /** Windows per batch; default 16. */
  readonly batchSize?: number;
  /** Called with the number of windows of each batch, when it is done. */
  readonly onBatch?: (windows: number) => void;
}

/** Tokens of a window unless asked for otherwise. */
const usualLength = 384;

/**
 * A model that finds answers in texts, with its tokenizer.
 *
 *     const answerer = await QuestionAnswerer.fromPretrained('runs/squad');
 *     await answerer.answer('Where is the tower?', 'The tower stands in Paris.');
 *     // { answer: 'Paris', score: 0.97, start: 20, end: 25 }
 *
 * Contexts of any length are read, in windows that overlap. Scores are those of transformers' question-answering pipeline.
 */
export class QuestionAnswerer {
  readonly model: PreTrainedModel;
  readonly tokenizer: Tokenizer;
  /** Tokens of a window at most. */
  readonly maxLength: number;
  readonly #run: (batch: TextBatch) => Promise<{ startLogits: Tensor; endLogits: Tensor }>;

  constructor(model: PreTrainedModel, tokenizer: Tokenizer) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.maxLength = Math.min(usualLength, longestInput(model, tokenizer));
    this.#run = inference(model, 'AutoModelForQuestionAnswering', (output) => ({
      startLogits: output('startLogits'),
      endLogits: output('endLogits'),
    }));
  }

  /**
   * Loads model and tokenizer of a folder or a hub repository.
   * @throws as `AutoModelForQuestionAnswering.fromPretrained` and `AutoTokenizer.fromPretrained`.
   */
  static async fromPretrained(source: string, options: FromPretrainedOptions = {}): Promise<QuestionAnswerer> {
    return new QuestionAnswerer(...(await loadWithTokenizer(AutoModelForQuestionAnswering, source, options)));
  }

  /** The best answer to a question. @throws ArgumentError for an empty question or context. */
  async answer(question: string, context: string, options: AnswerOptions = {}): Promise<Answer> {
    const [[best]] = await this.answers([{ question, context }], options);
    return best;
  }

  /**
   * Answers to many questions, in their order: for each the best `topK` of all windows, at least one, no passage twice.
   * @throws ArgumentError for an empty question or context, naming it, and for options out of range.
   */
  async answers(questions: readonly Question[], options: AnswersOptions = {}): Promise<Answer[][]> {
    const { topK = 1, maxAnswerLen = 15, batchSize = 16, onBatch } = options;
    checkWhole('answers: topK', topK, 1);
    checkWhole('answers: maxAnswerLen', maxAnswerLen, 1);
    const asked = questions.map(({ question, context }) => ({ question, context }));
    const windows = await tokenizeQuestions(this.tokenizer, asked, { maxLength: this.maxLength, ...options });
    const found = questions.map((): Found => ({ answers: new Map(), nullScore: 1 }));
    for await (const { window, start, end } of this.#logits(windows, { batchSize, ...(onBatch ? { onBatch } : {}) })) {
      const { spans, nullScore } = bestSpans(start, end, window, { topK, maxAnswerLen });
      const mine = found[window.question];
      mine.nullScore = Math.min(mine.nullScore, nullScore);
      for (const span of spans) add(mine, toAnswer(span, window, questions[window.question].context, options));
    }
    return found.map(({ answers, nullScore }) => {
      const none = { answer: '', score: nullScore, start: 0, end: 0 };
      const all = [...answers.values()];
      if (options.handleImpossibleAnswer || !all.length) all.push(none);
      return all.sort((a, b) => b.score - a.score).slice(0, topK);
    });
  }

  /** Scores of the tokens of each window, in evaluation mode; long windows first. */
  async *#logits(
    windows: QuestionWindows,
    { batchSize, onBatch }: { batchSize: number; onBatch?: (windows: number) => void },
  ): AsyncGenerator<{ window: QuestionWindow; start: Float32Array; end: Float32Array }> {
    const order = orderByLength(windows);
    // The same few lengths in every call, so that later calls find their programs.
    const multipleOf = usualMultiple({ lengths: [windows.maxLength] });
    const before = this.model.training;
    this.model.eval();
    let done = 0;
    try {
      for await (const batch of questionLoader(windows, { batchSize, multipleOf })) {
        const { startLogits, endLogits } = await this.#run(batch);
        const [rows, width] = batch.inputIds.shape;
        const [starts, ends] = [await startLogits.data(), await endLogits.data()];
        for (let i = 0; i < rows; i++) {
          const row = (data: ArrayLike<number>) =>
            Float32Array.from({ length: width }, (_, column) => data[i * width + column]);
          yield { window: windows.get(order[done + i]), start: row(starts), end: row(ends) };
        }
        done += rows;
        onBatch?.(rows);
      }
    } finally {
      this.model.train(before);
    }
  }
}

interface Found {
  /** By place. */
  readonly answers: Map<string, Answer>;
  nullScore: number;
}

/** Notes an answer, with its best score if several windows hold it. */
function add({ answers }: Found, answer: Answer): void {
  const key = `${answer.start} ${answer.end}`;
  if (!(answer.score <= (answers.get(key)?.score ?? -1))) answers.set(key, answer);
}

function toAnswer(
  { first, last, score }: TokenSpan,
  { starts, ends }: QuestionWindow,
  context: string,
  { alignToWords = true }: AnswerOptions,
): Answer {
  let [start, end] = [starts[first], ends[last]];
  if (alignToWords) {
    while (isWithinWord(context, start)) start--;
    while (isWithinWord(context, end)) end++;
  }
  return { answer: context.slice(start, end), score, start, end };
}
