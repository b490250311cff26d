/** @file Model families and the Auto classes. */
export * from './auto.ts';
export * from './bert/index.ts';
export type { PretrainedConfig } from './config.ts';
export { decayGroups } from './decay-groups.ts';
export * from './distilbert/index.ts';
export type { EncoderConfig, EncoderInputs, EncoderOutput } from './encoder.ts';
export { EncoderModel } from './encoder.ts';
export * from './generation/index.ts';
export * from './gpt2/index.ts';
export { gradientCheckpointing } from './gradient-checkpointing.ts';
export { EncoderWithHead, type HeadOutput, type LabelledInputs, type SpanOutput } from './heads.ts';
export { checkVocabulary, longestInput } from './inference.ts';
export { type LayerGroup, type LayerwiseOptions, layerwiseGroups } from './layer-groups.ts';
export * from './llama/index.ts';
export * from './peft/index.ts';
export type { FromPretrainedOptions, LoadReport } from './pretrained-model.ts';
export { PreTrainedModel } from './pretrained-model.ts';
export { type Answer, type AnswerOptions, type AnswersOptions, QuestionAnswerer } from './question-answering.ts';
export { type AnswerText, type Question, type SquadQuestion, squadQuestions } from './question-answering-data.ts';
export { normalizeAnswer, type SquadScores, squadScores } from './question-answering-scores.ts';
export {
  type QuestionWindow,
  QuestionWindows,
  questionLoader,
  type TokenizeQuestionsOptions,
  tokenizeQuestions,
} from './question-answering-windows.ts';
export * from './roberta/index.ts';
export { exportTransformer, saveForInference } from './save-for-inference.ts';
export { SentenceEncoder } from './sentence-encoder.ts';
export type { Pooling, SentenceEncoderOptions } from './sentence-files.ts';
export { cosineSimilarityLoss, multipleNegativesRankingLoss, sentenceTripletLoss } from './sentence-losses.ts';
export * from './t5/index.ts';
export { type ClassifyOptions, type LabelScore, TextClassifier } from './text-classification.ts';
export {
  type AggregationStrategy,
  type ClassifyTokensOptions,
  TokenClassifier,
  type TokenLabel,
} from './token-classification.ts';
export {
  type TokenizedSentence,
  TokenizedWords,
  type TokenizeWordsOptions,
  tokenizeWords,
  wordLoader,
} from './token-classification-words.ts';
export {
  type LengthStatistics,
  paddingShare,
  type TextBatch,
  type TextLoaderOptions,
  type TokenizedText,
  TokenizedTexts,
  type TokenizeOptions,
  textLoader,
  tokenizeTexts,
} from './tokenized-texts.ts';
export * from './vision/index.ts';
export * from './vit/index.ts';
