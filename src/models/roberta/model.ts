/** @file RoBERTa's encoder (Liu et al. 2019): BERT's with positions that skip padding. */
import type { Tensor } from '../../tensor/index.ts';
import { BertEmbeddings, BertModel } from '../bert/model.ts';
import type { EncoderInputs } from '../encoder.ts';
import { type RobertaConfig, robertaConfig } from './config.ts';

/** Positions count tokens only, from the one behind the padding token's id; padding has that id itself. */
class RobertaEmbeddings extends BertEmbeddings {
  readonly padding: number;

  constructor(config: RobertaConfig) {
    super(config, { positionPaddingIdx: config.padTokenId });
    this.padding = config.padTokenId;
    this.maxLength = config.maxPositionEmbeddings - config.padTokenId - 1;
  }

  protected override positions({ inputIds }: EncoderInputs): Tensor {
    const isToken = inputIds.ne(this.padding).to('int64');
    return this.positionEmbeddings.forward(isToken.cumsum(1).mul(isToken).add(this.padding));
  }
}

/** RoBERTa without a head (transformers.RobertaModel). */
export class RobertaModel extends BertModel<RobertaConfig> {
  static override readonly definition = robertaConfig;

  constructor(config: RobertaConfig, options: { addPoolingLayer?: boolean } = {}) {
    super(config, options);
    this.embeddings = new RobertaEmbeddings(config);
  }

  override get maxLength(): number {
    return this.embeddings.maxLength;
  }
}
