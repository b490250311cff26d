/** @file Two translators of one form: an LSTM encoder and decoder with attention, and a small Transformer. */
import { cat, F, nn, stack, type Tensor, where } from 'gradus';

/** Token numbers that all vocabularies of this recipe begin with. */
export const [pad, start, end] = [0, 1, 2];

export interface Sizes {
  readonly vocabulary: number;
  readonly width: number;
  readonly layers: number;
  readonly dropout: number;
}

/** What an encoder makes of a batch of sentences. */
export interface Memory {
  /** Features of every source token, [batch, source, width]. */
  readonly features: Tensor;
  /** First states of the decoder, if it has any. */
  readonly states: readonly Tensor[];
}

/** Source tokens [batch, source] and target tokens so far [batch, target] to logits of the next token at each position. */
export abstract class Translator extends nn.Module {
  readonly sizes: Sizes;
  embedding: nn.Embedding;

  constructor(sizes: Sizes) {
    super();
    this.sizes = sizes;
    this.embedding = new nn.Embedding(sizes.vocabulary, sizes.width);
    nn.init.normal(this.embedding.weight, { std: sizes.width ** -0.5 });
  }

  /** Vectors of tokens, of size about 1 in every component: small as logits want them, large as inputs. */
  protected embed(tokens: Tensor): Tensor {
    return this.embedding.forward(tokens).mul(Math.sqrt(this.sizes.width));
  }

  abstract encode(source: Tensor): Memory;

  /** Features of the next token after each of `target`, [batch, target, width]. */
  abstract decode(target: Tensor, memory: Memory, source: Tensor): Tensor;

  /** How much each of `target` looks at each source token, [batch, target, source]; the sum over the source is 1. */
  abstract attention(target: Tensor, memory: Memory, source: Tensor): Tensor;

  /** Logits of features; the matrix is that of the embedding (Press and Wolf 2017). */
  logits(features: Tensor): Tensor {
    return F.linear(features, this.embedding.weight);
  }

  override forward({ source, target }: { source: Tensor; target: Tensor }): Tensor {
    return this.logits(this.decode(target, this.encode(source), source));
  }
}

/** Bidirectional LSTM, LSTM, and Luong's "general" attention between them (Luong et al. 2015). */
export class AttentionLstm extends Translator {
  encoder: nn.LSTM;
  bridge: nn.Linear;
  decoder: nn.LSTM;
  query: nn.Linear;
  combine: nn.Linear;
  dropout: nn.Dropout;

  constructor(sizes: Sizes) {
    super(sizes);
    const { width, layers, dropout } = sizes;
    const options = { numLayers: layers, batchFirst: true, dropout: layers > 1 ? dropout : 0 };
    this.encoder = new nn.LSTM(width, width / 2, { ...options, bidirectional: true });
    this.bridge = new nn.Linear(width, width);
    this.decoder = new nn.LSTM(width, width, options);
    this.query = new nn.Linear(width, width, { bias: false });
    this.combine = new nn.Linear(2 * width, width, { bias: false });
    this.dropout = new nn.Dropout(dropout);
  }

  encode(source: Tensor): Memory {
    const embedded = this.dropout.forward(this.embed(source));
    const lengths = source.ne(pad).sum(1);
    const [context, [h]] = this.encoder.forward(embedded, null, { lengths });
    // [layers * directions, batch, width / 2]: both directions of a layer side by side start the decoder's layer.
    const { layers, width } = this.sizes;
    const both = h.unflatten(0, [layers, 2]).transpose(1, 2).flatten(2);
    const first = this.bridge.forward(both).tanh();
    // Each token itself beside its context: attention finds it sooner.
    return {
      features: context.add(embedded),
      states: [first, first.mul(0)].map((s) => s.reshape([layers, -1, width])),
    };
  }

  #attend(target: Tensor, { features, states }: Memory, source: Tensor): { hidden: Tensor; weights: Tensor } {
    const embedded = this.dropout.forward(this.embed(target));
    const [hidden] = this.decoder.forward(embedded, [states[0], states[1]]);
    const scores = this.query.forward(hidden).matmul(features.transpose(1, 2));
    return { hidden, weights: where(source.eq(pad).unsqueeze(1), -1e9, scores).softmax(-1) };
  }

  decode(target: Tensor, memory: Memory, source: Tensor): Tensor {
    const { hidden, weights } = this.#attend(target, memory, source);
    const context = weights.matmul(memory.features);
    return this.dropout.forward(this.combine.forward(cat([context, hidden], -1)).tanh());
  }

  attention(target: Tensor, memory: Memory, source: Tensor): Tensor {
    return this.#attend(target, memory, source).weights;
  }
}

/** A Transformer with layer normalisation first (Vaswani et al. 2017; Xiong et al. 2020). */
export class SmallTransformer extends Translator {
  position: nn.PositionalEncoding;
  transformer: nn.Transformer;

  constructor(sizes: Sizes) {
    super(sizes);
    const { width, layers, dropout } = sizes;
    this.position = new nn.PositionalEncoding(width, { dropout, maxLen: 512, batchFirst: true });
    this.transformer = new nn.Transformer({
      dModel: width,
      nhead: 4,
      numEncoderLayers: layers,
      numDecoderLayers: layers,
      dimFeedforward: 2 * width,
      dropout,
      batchFirst: true,
      normFirst: true,
    });
  }

  protected override embed(tokens: Tensor): Tensor {
    return this.position.forward(super.embed(tokens));
  }

  encode(source: Tensor): Memory {
    const options = { srcKeyPaddingMask: source.eq(pad) };
    return { features: this.transformer.encoder.forward(this.embed(source), options), states: [] };
  }

  decode(target: Tensor, { features }: Memory, source: Tensor): Tensor {
    return this.transformer.decoder.forward(this.embed(target), features, {
      tgtIsCausal: true,
      memoryKeyPaddingMask: source.eq(pad),
    });
  }

  /** The mean over layers and heads. */
  attention(target: Tensor, memory: Memory, source: Tensor): Tensor {
    const weights: Tensor[] = [];
    const hooks = [...this.transformer.decoder.layers].flatMap(({ multiheadAttn }) => [
      multiheadAttn.registerForwardPreHook((_, [query, key, value, options]) => [
        query,
        key,
        value,
        { ...(options as nn.AttentionOptions), needWeights: true },
      ]),
      multiheadAttn.registerForwardHook((_module, _inputs, output) => {
        const [, found] = output as [Tensor, Tensor];
        weights.push(found);
      }),
    ]);
    this.decode(target, memory, source);
    for (const remove of hooks) remove();
    return stack(weights).mean(0);
  }
}
