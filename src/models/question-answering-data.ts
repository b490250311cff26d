/** @file Questions about texts: what they are, and how the files of SQuAD hold them. */
import { z } from 'zod';
import { FormatError } from '../ir/errors.ts';

/** A passage of a context. */
export interface AnswerText {
  readonly text: string;
  /** Where it begins in the context, in UTF-16 units as JavaScript counts: `context.slice(start, start + text.length)`. */
  readonly start: number;
}

/** A question about a context. */
export interface Question {
  readonly question: string;
  readonly context: string;
  /** Right answers, the first of which is learnt; empty: the context does not answer it; undefined: not known. */
  readonly answers?: readonly AnswerText[];
}

/** A question of SQuAD. */
export interface SquadQuestion extends Question {
  readonly id: string;
  /** The article that the context is from. */
  readonly title: string;
  readonly answers: readonly AnswerText[];
}

const file = z.looseObject({
  data: z.array(
    z.looseObject({
      title: z.string().default(''),
      paragraphs: z.array(
        z.looseObject({
          context: z.string(),
          qas: z.array(
            z.looseObject({
              id: z.string(),
              question: z.string(),
              answers: z.array(z.looseObject({ text: z.string(), answer_start: z.number().int().nonnegative() })),
            }),
          ),
        }),
      ),
    }),
  ),
});

/**
 * Questions of a parsed file of SQuAD, version 1.1 or 2.0. The file counts Unicode code points; the result, like all of
 * JavaScript, UTF-16 units.
 * @throws FormatError naming the entry that is wrong, or the answer that is not where it should be.
 */
export function squadQuestions(json: unknown, source = 'SQuAD'): SquadQuestion[] {
  const parsed = file.safeParse(json);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new FormatError(`${source}: ${path.join('.') || 'the file'}: ${message}`);
  }
  return parsed.data.data.flatMap(({ title, paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) => {
      const position = codePoints(context);
      return qas.map(({ id, question, answers }) => ({
        id,
        title,
        question,
        context,
        answers: answers.map(({ text, answer_start: at }) => {
          const start = position(at);
          if (!context.startsWith(text, start))
            throw new FormatError(
              `${source}: question ${id}: the context has ${JSON.stringify(context.slice(start, start + text.length))} at ${at}, not the answer ${JSON.stringify(text)}`,
            );
          return { text, start };
        }),
      }));
    }),
  );
}

/** UTF-16 position of a code point, by its number. */
function codePoints(text: string): (count: number) => number {
  if (!/[\ud800-\udfff]/.test(text)) return (count) => count;
  const starts: number[] = [];
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) starts.push(at);
  return (count) => starts[count] ?? text.length;
}
