/** @file The RoBERTa family. */
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

export { type RobertaConfig, robertaConfig } from './config.ts';
export {
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from './heads.ts';
export { RobertaModel } from './model.ts';

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
