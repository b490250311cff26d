/** @file ViT with a head. */
import type { ExportOptions } from '../../hub/onnx/index.ts';
import { Linear } from '../../nn/linear.ts';
import type { Tensor } from '../../tensor/index.ts';
import { numLabels } from '../config.ts';
import type { HeadOutput } from '../heads.ts';
import { sequenceClassificationLoss } from '../losses.ts';
import type { ViTConfig } from './config.ts';
import { type PictureInputs, ViTBase, ViTModel } from './model.ts';

/** ViT with a classifier of the picture (transformers.ViTForImageClassification). */
export class ViTForImageClassification extends ViTBase {
  override readonly baseModelPrefix = 'vit';
  vit: ViTModel;
  classifier: Linear;

  constructor(config: ViTConfig) {
    super(config);
    this.vit = new ViTModel(config, { addPoolingLayer: false });
    this.classifier = new Linear(config.hiddenSize, numLabels(config));
  }

  /** @param inputs.labels int64 [batch]; see `sequenceClassificationLoss`. Gives logits [batch, labels]. */
  override forward({ labels, ...inputs }: PictureInputs & { labels?: Tensor }): HeadOutput {
    const logits = this.classifier.forward(this.vit.forward(inputs).lastHiddenState.select(1, 0));
    return labels ? { logits, loss: sequenceClassificationLoss(this.config, logits, labels) } : { logits };
  }

  override exportOptions(): ExportOptions {
    return { ...super.exportOptions(), outputs: ['logits'], input: ['batch_size'] };
  }
}
