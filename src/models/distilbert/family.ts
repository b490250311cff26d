/** @file What the DistilBERT family is made of, for the Auto classes. */
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
