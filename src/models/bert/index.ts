/** @file The BERT family. */
import type { Family } from '../family.ts';
import { bertConfig } from './config.ts';
import {
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
} from './heads.ts';
import { BertModel } from './model.ts';

export { type BertConfig, bertConfig } from './config.ts';
export {
  BertForMaskedLM,
  BertForMultipleChoice,
  BertForNextSentencePrediction,
  BertForQuestionAnswering,
  BertForSequenceClassification,
  BertForTokenClassification,
} from './heads.ts';
export { BertModel } from './model.ts';

export const bert: Family = {
  config: bertConfig,
  models: {
    base: BertModel,
    sequenceClassification: BertForSequenceClassification,
    tokenClassification: BertForTokenClassification,
    questionAnswering: BertForQuestionAnswering,
    multipleChoice: BertForMultipleChoice,
    maskedLM: BertForMaskedLM,
  },
};
