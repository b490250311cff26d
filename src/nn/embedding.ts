/** @file Embedding, EmbeddingBag: tables of vectors looked up by index. */
import { ArgumentError } from '../ir/errors.ts';
import { fromData, type Indices, type Tensor } from '../tensor/index.ts';
import { nextStream } from '../tensor/random.ts';
import type { EmbeddingBagOptions } from './functional/embedding.ts';
import * as F from './functional/index.ts';
import { checkFeatures } from './functional/sizes.ts';
import { Module, Parameter } from './module.ts';

export interface EmbeddingLayerOptions {
  /** The row of this index starts as zeros and gets no gradient (negative counts from the end). */
  paddingIdx?: number | null;
}

/** Standard normal rows, zeros at the padding; made when they are needed, which they are not if weights are loaded. */
function firstRows(rows: number, columns: number, padding: number | null): () => Float32Array {
  const random = nextStream();
  return () => {
    const data = new Float32Array(rows * columns);
    for (let i = 0; i < data.length; i++) data[i] = random.normal();
    return padding === null ? data : data.fill(0, padding * columns, (padding + 1) * columns);
  };
}

/** What tables have in common. */
abstract class Table extends Module {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly paddingIdx: number | null;
  weight: Parameter;

  constructor(numEmbeddings: number, embeddingDim: number, { paddingIdx = null }: EmbeddingLayerOptions = {}) {
    super();
    checkFeatures(new.target.name, { numEmbeddings, embeddingDim });
    if (
      paddingIdx !== null &&
      !(Number.isInteger(paddingIdx) && paddingIdx >= -numEmbeddings && paddingIdx < numEmbeddings)
    )
      throw new ArgumentError(
        `${new.target.name}: paddingIdx must be one of the ${numEmbeddings} rows, found ${paddingIdx}`,
      );
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.paddingIdx = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    this.weight = new Parameter(
      fromData(firstRows(numEmbeddings, embeddingDim, this.paddingIdx), [numEmbeddings, embeddingDim]),
    );
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? '' : `, paddingIdx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }
}

/** Rows of a trained table at integer indices of any shape: [...] gives [..., embeddingDim] (torch.nn.Embedding). */
export class Embedding extends Table {
  override forward(x: Indices): Tensor {
    return F.embedding(x, this.weight, { paddingIdx: this.paddingIdx });
  }
}

/** Sums, means or maxima of bags of rows: [bags, indices], or a flat list with offsets, gives [bags, embeddingDim] (torch.nn.EmbeddingBag). */
export class EmbeddingBag extends Table {
  readonly mode: 'sum' | 'mean' | 'max';

  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    { mode = 'mean', ...options }: EmbeddingLayerOptions & { mode?: 'sum' | 'mean' | 'max' } = {},
  ) {
    super(numEmbeddings, embeddingDim, options);
    this.mode = mode;
  }

  override forward(x: Indices, options: Pick<EmbeddingBagOptions, 'offsets' | 'perSampleWeights'> = {}): Tensor {
    return F.embeddingBag(x, this.weight, { ...options, mode: this.mode, paddingIdx: this.paddingIdx });
  }
}
