/** @file Auto classes: the model class that a config.json's model_type asks for. */
import { openSource, readJson } from '../hub/source.ts';
import { FormatError, UnsupportedError } from '../ir/errors.ts';
import { families } from './families.ts';
import type { Task } from './family.ts';
import type { GenerativeModel } from './generation/index.ts';
import {
  type FromPretrainedOptions,
  loadPretrained,
  newModel,
  type PreTrainedModel,
  type PretrainedClass,
} from './pretrained-model.ts';

/** A loader of models for one task, of whichever family a folder or repository holds. */
export interface AutoClass<M extends PreTrainedModel> {
  /**
   * Loads a model of the family that its config.json names (transformers' `from_pretrained`).
   * @param source a folder, or a hub repository such as `sentence-transformers/all-MiniLM-L6-v2`.
   * @throws UnsupportedError for an unknown family or one without this head, else as `PreTrainedModel.fromPretrained`.
   */
  fromPretrained(source: string, options?: FromPretrainedOptions): Promise<M>;
  /** A model with new weights from the contents of a config.json. @throws as fromPretrained. */
  fromConfig(json: Readonly<Record<string, unknown>>): M;
}

function auto<M extends PreTrainedModel = PreTrainedModel>(task: Task): AutoClass<M> {
  const classFor = (json: unknown, source: string): PretrainedClass<M> => {
    const type = typeof json === 'object' && json !== null && 'model_type' in json ? json.model_type : undefined;
    if (typeof type !== 'string') throw new FormatError(`${source}: "model_type": expected a string, found ${type}`);
    const family = families.find((f) => f.config.modelType === type);
    if (!family)
      throw new UnsupportedError(
        `${source}: no model family '${type}'; there are ${families.map((f) => f.config.modelType).join(', ')}. An ONNX export of it can be trained with OnnxModel.load`,
      );
    const found = family.models[task];
    if (!found)
      throw new UnsupportedError(
        `${source}: ${type} has no model for ${task}; it has ${Object.keys(family.models).join(', ')}`,
      );
    return found as PretrainedClass<M>;
  };
  return {
    async fromPretrained(source, options = {}) {
      const files = await openSource(source, options);
      const json = await readJson(files, 'config.json');
      return await loadPretrained(classFor(json, `${source}/config.json`), files, json, options);
    },
    fromConfig(json) {
      const modelClass = classFor(json, 'config');
      return newModel(modelClass, modelClass.definition.fromJson(json, 'config'));
    },
  };
}

/** The backbone without a head. */
export const AutoModel = auto('base');
/** A class for a text or a pair of texts, several labels, or a number. */
export const AutoModelForSequenceClassification = auto('sequenceClassification');
/** A class for every token. */
export const AutoModelForTokenClassification = auto('tokenClassification');
/** Start and end of an answer in a text. */
export const AutoModelForQuestionAnswering = auto('questionAnswering');
/** One of several choices. */
export const AutoModelForMultipleChoice = auto('multipleChoice');
/** The tokens behind masks. */
export const AutoModelForMaskedLM = auto('maskedLM');
/** The next token. */
export const AutoModelForCausalLM = auto<GenerativeModel>('causalLM');
/** A text from a text. */
export const AutoModelForSeq2SeqLM = auto<GenerativeModel>('seq2seqLM');
/** A class for a picture. */
export const AutoModelForImageClassification = auto('imageClassification');
