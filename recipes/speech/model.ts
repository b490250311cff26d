/** @file Sound in, letters or a speaker's embedding out; the features are part of the networks, so that they export. */
import { cat, F, nn, type Tensor } from 'gradus';
import { classes, sampleRate } from './data.ts';

const nMels = 40;

/** [batch, samples] to log-mel features [batch, 40, frames] every 10 ms, normalised by running statistics. */
class Features extends nn.Module {
  mel = new nn.MelSpectrogram({ sampleRate, nFft: 256, winLength: 200, hopLength: 80, nMels, fMin: 50 });
  norm = new nn.BatchNorm1d(nMels, { affine: false });

  override forward(x: Tensor): Tensor {
    return this.norm.forward(this.mel.forward(x).add(1e-6).log());
  }
}

/** Steps after features and a convolution of stride 2 for so many samples. */
const stepsOf = (lengths: Tensor) => lengths.float().div(160).floor().add(1);

/** Convolution over the features, bidirectional LSTM, and per step of 20 ms the log-probabilities of blank and letters. */
export class Recognizer extends nn.Module {
  features = new Features();
  conv: nn.Conv1d;
  rnn: nn.LSTM;
  dropout = new nn.Dropout(0.3);
  head: nn.Linear;

  constructor(hidden: number) {
    super();
    this.conv = new nn.Conv1d(nMels, hidden, 5, { stride: 2, padding: 2 });
    this.rnn = new nn.LSTM(hidden, hidden, { bidirectional: true });
    this.head = new nn.Linear(2 * hidden, classes);
  }

  /** x [batch, samples], lengths [batch] in samples: log-probabilities [steps, batch, classes] and steps per clip. */
  override forward({ x, lengths }: { x: Tensor; lengths: Tensor }): { scores: Tensor; steps: Tensor } {
    const y = F.relu(this.conv.forward(this.features.forward(x))).permute([2, 0, 1]);
    const steps = stepsOf(lengths).to('int32');
    const [outputs] = this.rnn.forward(this.dropout.forward(y), null, { lengths: steps });
    const scores = this.head.forward(this.dropout.forward(outputs)).logSoftmax(-1);
    return { scores, steps: steps.long() };
  }
}

/** Convolutions, mean and standard deviation over time (statistics pooling, Snyder et al. 2017), an embedding of length 1. */
export class SpeakerNet extends nn.Module {
  features = new Features();
  convs: nn.Sequential;
  embedding: nn.Linear;
  dropout = new nn.Dropout(0.2);
  head: nn.Linear;

  constructor(hidden: number, speakers: number) {
    super();
    const block = (from: number, stride: number) => [
      new nn.Conv1d(from, hidden, 5, { stride, padding: 2 }),
      new nn.BatchNorm1d(hidden),
      new nn.ReLU(),
    ];
    this.convs = new nn.Sequential(...block(nMels, 1), ...block(hidden, 2), ...block(hidden, 1));
    this.embedding = new nn.Linear(2 * hidden, 64);
    this.head = new nn.Linear(64, speakers, { bias: false });
  }

  override forward({ x, lengths }: { x: Tensor; lengths: Tensor }): { logits: Tensor; embedding: Tensor } {
    const y = this.convs.forward(this.features.forward(x)) as Tensor;
    const steps = stepsOf(lengths).unsqueeze(1);
    // 1, 2, 3, ... over time, made of y so that the exported graph counts as many as there are.
    const position = y.narrow(1, 0, 1).mul(0).add(1).cumsum(2);
    const isReal = position.le(steps.unsqueeze(2)).float();
    const mean = y.mul(isReal).sum(2).div(steps);
    const variance = y.sub(mean.unsqueeze(2)).mul(isReal).square().sum(2).div(steps);
    const pooled = cat([mean, variance.add(1e-5).sqrt()], 1);
    const embedding = F.normalize(this.embedding.forward(this.dropout.forward(pooled)), { dim: 1 });
    // Cosines of embedding and speaker, sharpened.
    return { logits: F.linear(embedding, F.normalize(this.head.weight, { dim: 1 })).mul(12), embedding };
  }
}
