/** @file The DistilBERT family. */
export { type DistilBertConfig, distilbertConfig } from './config.ts';
export {
  DistilBertForMaskedLM,
  DistilBertForMultipleChoice,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
} from './heads.ts';
export { DistilBertModel } from './model.ts';
