/** @file RoBERTa's configuration. */
import { z } from 'zod';
import { bertShape } from '../bert/config.ts';
import { defineConfig, headsDivide, paddingExists } from '../config.ts';

/** Keys and defaults of transformers.RobertaConfig; BERT's with another vocabulary. */
export const robertaConfig = defineConfig(
  'roberta',
  {
    ...bertShape,
    vocabSize: bertShape.vocabSize.default(50265),
    padTokenId: z.number().int().nonnegative().default(1),
    bosTokenId: z.number().int().nullish().default(0),
    eosTokenId: z
      .union([z.number().int(), z.array(z.number().int())])
      .nullish()
      .default(2),
  },
  {},
  (config) => headsDivide(config) ?? paddingExists(config) ?? leavesPositions(config),
);

/** Positions are counted from the one behind the padding token's id. */
const leavesPositions = ({
  maxPositionEmbeddings,
  padTokenId,
}: {
  maxPositionEmbeddings: number;
  padTokenId: number;
}) =>
  maxPositionEmbeddings > padTokenId + 1
    ? undefined
    : `"max_position_embeddings" is ${maxPositionEmbeddings}; positions begin at ${padTokenId + 1}, behind "pad_token_id"`;

export type RobertaConfig = ReturnType<typeof robertaConfig.create>;
