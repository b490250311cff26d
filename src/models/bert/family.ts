/** @file What the BERT family is made of, for the Auto classes. */
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
