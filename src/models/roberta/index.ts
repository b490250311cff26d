/** @file The RoBERTa family. */
export { type RobertaConfig, robertaConfig } from './config.ts';
export {
  RobertaForMaskedLM,
  RobertaForMultipleChoice,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
} from './heads.ts';
export { RobertaModel } from './model.ts';
