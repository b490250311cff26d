/** @file What the classes that answer about texts share: loading a model with its tokenizer, and running it on batches. */
import { AutoTokenizer, type Tokenizer } from '../hub/tokenizer/index.ts';
import { ArgumentError } from '../ir/errors.ts';
import { compile, noGrad, Tensor } from '../tensor/index.ts';
import type { AutoClass } from './auto.ts';
import type { FromPretrainedOptions, PreTrainedModel } from './pretrained-model.ts';
import type { TextBatch } from './tokenized-texts.ts';

/** @throws ArgumentError where the tokenizer knows tokens for which the model has no embedding. */
export function checkVocabulary({ config }: PreTrainedModel, tokenizer: Tokenizer, source: string): void {
  const { vocabSize } = config;
  if (typeof vocabSize === 'number' && tokenizer.vocabSize > vocabSize)
    throw new ArgumentError(
      `${source}: the tokenizer has ids up to ${tokenizer.vocabSize - 1}, the model embeddings for ${vocabSize} tokens; they do not belong together`,
    );
}

/** Tokens that a model reads at most. */
export function longestInput({ config }: PreTrainedModel, tokenizer: Tokenizer): number {
  const { maxPositionEmbeddings: positions } = config;
  return Math.min(tokenizer.modelMaxLength ?? 512, typeof positions === 'number' ? positions : 512);
}

/** A model in evaluation mode and its tokenizer, of a folder or a hub repository. @throws as the two `fromPretrained`. */
export async function loadWithTokenizer<M extends PreTrainedModel>(
  auto: AutoClass<M>,
  source: string,
  options: FromPretrainedOptions,
): Promise<[model: M, tokenizer: Tokenizer]> {
  const tokenizer = await AutoTokenizer.fromPretrained(source, options);
  const model = await auto.fromPretrained(source, options);
  checkVocabulary(model, tokenizer, source);
  return [model.eval(), tokenizer];
}

/** The tensors that a model gives, by name. @throws ArgumentError for a name that is not among them. */
type Outputs = (name: string) => Tensor;

/**
 * A model without gradients, compiled once per shape of batch; `pick` says what is wanted of what it gives. Its errors name
 * `autoClass`, which loads models that give it.
 */
export function inference<R extends object>(
  model: PreTrainedModel,
  autoClass: string,
  pick: (outputs: Outputs) => R,
): (batch: TextBatch) => Promise<R> {
  return compile((batch: TextBatch) =>
    noGrad(() => {
      const result: unknown = model.forward(...([batch] as never[]));
      return pick((name) => {
        const found: unknown = typeof result === 'object' && result !== null ? Reflect.get(result, name) : undefined;
        if (!(found instanceof Tensor))
          throw new ArgumentError(`${model.constructor.name} gives no ${name}; load it with ${autoClass}`);
        return found;
      });
    }),
  );
}
