/** @file A recurrent network that predicts the next character; its state is an input and an output. */
import { nn, type Tensor, zeros } from 'gradus';

export type Cell = 'lstm' | 'gru';

export interface CharModelOptions {
  readonly cell: Cell;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly layers: number;
  readonly dropout: number;
}

/** Characters [batch, steps] and state to logits [batch, steps, vocabulary] and the state after the last step. */
export class CharModel extends nn.Module {
  readonly options: CharModelOptions;
  embedding: nn.Embedding;
  rnn: nn.LSTM | nn.GRU;
  dropout: nn.Dropout;
  head: nn.Linear;

  constructor(options: CharModelOptions) {
    super();
    const { cell, vocabulary, hidden, layers, dropout } = options;
    this.options = options;
    this.embedding = new nn.Embedding(vocabulary, hidden);
    const recurrent = { numLayers: layers, batchFirst: true, dropout: layers > 1 ? dropout : 0 };
    this.rnn = cell === 'lstm' ? new nn.LSTM(hidden, hidden, recurrent) : new nn.GRU(hidden, hidden, recurrent);
    this.dropout = new nn.Dropout(dropout);
    this.head = new nn.Linear(hidden, vocabulary);
  }

  /** Zeros to begin with: [h, c] of an LSTM, [h] of a GRU, each [layers, batch, hidden]. */
  start(batch: number): Tensor[] {
    const { cell, layers, hidden } = this.options;
    return (cell === 'lstm' ? ['h', 'c'] : ['h']).map(() => zeros([layers, batch, hidden]));
  }

  override forward(x: Tensor, ...state: Tensor[]): Tensor[] {
    const embedded = this.dropout.forward(this.embedding.forward(x));
    const [y, last] =
      this.rnn instanceof nn.LSTM
        ? this.rnn.forward(embedded, [state[0], state[1]])
        : this.rnn.forward(embedded, state[0]);
    const after = Array.isArray(last) ? last : [last];
    return [this.head.forward(this.dropout.forward(y)), ...after];
  }
}
