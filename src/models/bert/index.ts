/** @file The BERT family. */
import type { Family } from '../family.ts';
import { bertConfig } from './config.ts';
import { BertForSequenceClassification } from './heads.ts';
import { BertModel } from './model.ts';

export { type BertConfig, bertConfig } from './config.ts';
export { BertForSequenceClassification } from './heads.ts';
export { BertModel } from './model.ts';

export const bert: Family = {
  config: bertConfig,
  models: { base: BertModel, sequenceClassification: BertForSequenceClassification },
};
