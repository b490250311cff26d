/** @file The BERT family. */
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
