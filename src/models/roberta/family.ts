/** @file What the RoBERTa family is made of, for the Auto classes. */
import type { Family } from '../family.ts';
import { robertaConfig } from './config.ts';
import {
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from './heads.ts';
import { RobertaModel } from './model.ts';

export const roberta: Family = {
  config: robertaConfig,
  models: {
    base: RobertaModel,
    sequenceClassification: RobertaForSequenceClassification,
    tokenClassification: RobertaForTokenClassification,
    questionAnswering: RobertaForQuestionAnswering,
    multipleChoice: RobertaForMultipleChoice,
    maskedLM: RobertaForMaskedLM,
  },
};
