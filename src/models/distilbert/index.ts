/** @file The DistilBERT family. */
import type { Family } from '../family.ts';
import { distilbertConfig } from './config.ts';
import {
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from './heads.ts';
import { DistilBertModel } from './model.ts';

export { type DistilBertConfig, distilbertConfig } from './config.ts';
export {
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from './heads.ts';
export { DistilBertModel } from './model.ts';

export const distilbert: Family = {
  config: distilbertConfig,
  models: {
    base: DistilBertModel,
    sequenceClassification: DistilBertForSequenceClassification,
    tokenClassification: DistilBertForTokenClassification,
    questionAnswering: DistilBertForQuestionAnswering,
    multipleChoice: DistilBertForMultipleChoice,
    maskedLM: DistilBertForMaskedLM,
  },
};
