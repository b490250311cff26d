/** @file Distances as modules. */
import type { Tensor } from '../tensor/index.ts';
import * as F from './functional/index.ts';
import { Module } from './module.ts';

/** The cosine of the angle between vectors along a dimension (torch.nn.CosineSimilarity). */
export class CosineSimilarity extends Module {
  readonly options: { dim?: number; eps?: number };

  constructor(options: { dim?: number; eps?: number } = {}) {
    super();
    this.options = options;
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    return F.cosineSimilarity(x, y, this.options);
  }
}

/** The p-norm of differences over the last dimension (torch.nn.PairwiseDistance). */
export class PairwiseDistance extends Module {
  readonly options: { p?: number; eps?: number; keepdim?: boolean };

  constructor(options: { p?: number; eps?: number; keepdim?: boolean } = {}) {
    super();
    this.options = options;
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    return F.pairwiseDistance(x, y, this.options);
  }
}
