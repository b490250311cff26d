/** @file The workloads' networks in Gradus. */
import { compile, F, nn, optim, type Tensor, tensor } from 'gradus';
import {
  ENCODER,
  initialParams,
  inputs,
  sizeOf,
  targets,
  tokenInputs,
  WEIGHT_DECAY,
  WORKLOADS,
  type Workload,
  type WorkloadName,
} from './spec.ts';

type Values = Record<string, Tensor>;

/** A network whose parameters are named as in the workload. */
abstract class Net extends nn.Module {
  /** `x` and, for the encoder, the mask; gives logits. */
  abstract override forward(x: Tensor, mask: Tensor): Tensor;
}

class Mlp extends Net {
  layers: nn.ModuleList<nn.Linear>;

  constructor(widths: readonly number[]) {
    super();
    this.layers = new nn.ModuleList(widths.slice(1).map((width, i) => new nn.Linear(widths[i], width)));
  }

  override forward(x: Tensor): Tensor {
    const last = this.layers.length - 1;
    return [...this.layers].reduce((h, layer, i) => (i < last ? F.relu(layer.forward(h)) : layer.forward(h)), x);
  }
}

const conv3x3 = (inputs: number, outputs: number) => new nn.Conv2d(inputs, outputs, 3, { padding: 1 });

class Cnn extends Net {
  c1 = conv3x3(3, 32);
  c2 = conv3x3(32, 32);
  c3 = conv3x3(32, 64);
  c4 = conv3x3(64, 64);
  d1 = new nn.Linear(4096, 256);
  d2 = new nn.Linear(256, 10);

  override forward(x: Tensor): Tensor {
    let h = F.relu(this.c2.forward(F.relu(this.c1.forward(x))));
    h = F.maxPool2d(h, 2);
    h = F.relu(this.c4.forward(F.relu(this.c3.forward(h))));
    h = F.maxPool2d(h, 2).flatten(1);
    return this.d2.forward(F.relu(this.d1.forward(h)));
  }
}

class WideCnn extends Net {
  c1 = conv3x3(256, 256);
  c2 = conv3x3(256, 256);
  c3 = conv3x3(256, 512);
  c4 = conv3x3(512, 512);
  d1 = new nn.Linear(512, 10);

  override forward(x: Tensor): Tensor {
    const h = F.maxPool2d(F.relu(this.c2.forward(F.relu(this.c1.forward(x)))), 2);
    const top = F.relu(this.c4.forward(F.relu(this.c3.forward(h))));
    return this.d1.forward(top.mean([2, 3]));
  }
}

class Lstm extends Net {
  lstm = new nn.LSTM(64, 128, { batchFirst: true });
  d1 = new nn.Linear(128, 10);

  override forward(x: Tensor): Tensor {
    const [output] = this.lstm.forward(x);
    return this.d1.forward(output.select(1, -1));
  }
}

const { width, hidden, heads } = ENCODER;
const norm = () => new nn.LayerNorm(width, { eps: 1e-12 });

class EncoderLayer extends nn.Module {
  q = new nn.Linear(width, width);
  k = new nn.Linear(width, width);
  v = new nn.Linear(width, width);
  o = new nn.Linear(width, width);
  ln1 = norm();
  f1 = new nn.Linear(width, hidden);
  f2 = new nn.Linear(hidden, width);
  ln2 = norm();

  override forward(x: Tensor, bias: Tensor): Tensor {
    const [batch, seq] = x.shape;
    const split = (t: Tensor) => t.reshape([batch, seq, heads, width / heads]).transpose(1, 2);
    const [q, k, v] = [this.q, this.k, this.v].map((layer) => split(layer.forward(x)));
    const a = F.scaledDotProductAttention(q, k, v, { attnMask: bias });
    const y = this.ln1.forward(x.add(this.o.forward(a.transpose(1, 2).reshape(x.shape))));
    return this.ln2.forward(y.add(this.f2.forward(F.gelu(this.f1.forward(y)))));
  }
}

class Encoder extends Net {
  tok = new nn.Embedding(ENCODER.vocab, width);
  pos = new nn.Embedding(ENCODER.positions, width);
  lne = norm();
  layers = new nn.ModuleList(Array.from({ length: ENCODER.layers }, () => new EncoderLayer()));
  head = new nn.Linear(width, 2);

  override forward(tokens: Tensor, mask: Tensor): Tensor {
    const [batch, seq] = tokens.shape;
    let h = this.lne.forward(this.tok.forward(tokens).add(this.pos.weight.narrow(0, 0, seq)));
    const bias = mask.sub(1).mul(1e9).reshape([batch, 1, 1, seq]);
    for (const layer of this.layers) h = layer.forward(h, bias);
    const m = mask.unsqueeze(-1);
    return this.head.forward(h.mul(m).sum(1).div(m.sum(1)));
  }
}

/** Elements with axes in another order. */
function permute(data: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const dims = order.map((axis) => shape[axis]);
  const out = new Float32Array(data.length);
  const index = dims.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    out[i] = data[index.reduce((sum, at, d) => sum + at * strides[order[d]], 0)];
    for (let d = dims.length - 1; d >= 0 && ++index[d] === dims[d]; d--) index[d] = 0;
  }
  return out;
}

const LSTM_KEYS: Record<string, string> = {
  'lstm.w': 'lstm.weight_ih_l0',
  'lstm.r': 'lstm.weight_hh_l0',
  'lstm.b': 'lstm.bias_ih_l0',
};

/** The workload's key as a state-dict key. */
function stateKey(key: string, mlp: boolean): string {
  if (key in LSTM_KEYS) return LSTM_KEYS[key];
  if (key === 'tok' || key === 'pos') return `${key}.weight`;
  const renamed = key
    .replace(/\.[wg]$/, '.weight')
    .replace(/\.b$/, '.bias')
    .replace(/^l(\d)\./, 'layers.$1.');
  return mlp ? renamed.replace(/^d(\d)/, (_, n) => `layers.${n - 1}`) : renamed;
}

/** The workload's initial values in PyTorch's layouts. */
function stateDict(name: WorkloadName, w: Workload): Values {
  const values = initialParams(w);
  const state = w.params.map(([key, shape]) => {
    let data: Float32Array = values[key];
    let order: number[] | undefined;
    if (shape.length === 4) order = [3, 2, 0, 1];
    else if (key.endsWith('.w') || key.endsWith('.r')) order = [1, 0];
    // The first dense layer of w2 reads rows in the order height, width, channel; here channels come first.
    if (shape[0] === 4096) data = permute(data, [8, 8, 64, shape[1]], [2, 0, 1, 3]);
    const own = order ? order.map((axis) => shape[axis]) : shape;
    const laidOut = order ? permute(data, shape, order) : data;
    return [stateKey(key, name === 'w1' || name === 'w5'), tensor(laidOut, { shape: own })];
  });
  if (name === 'w4') state.push(['lstm.bias_hh_l0', tensor(new Float32Array(512))]);
  return Object.fromEntries(state);
}

function network(name: WorkloadName): Net {
  if (name === 'w1') return new Mlp([784, 512, 512, 10]);
  if (name === 'w5') return new Mlp([4, 16, 3]);
  const kinds = { w2: Cnn, w3: Encoder, w4: Lstm, w6: WideCnn };
  return new kinds[name]();
}

function batch(name: WorkloadName, w: Workload): [x: Tensor, mask: Tensor, y: Tensor] {
  const y = tensor(targets(w));
  if (name === 'w3') {
    const { tokens, mask } = tokenInputs(w);
    const shape = [w.batch, ENCODER.seq];
    return [tensor(tokens, { shape }), tensor(mask, { shape }), y];
  }
  const shape = [w.batch, ...w.input];
  const x = inputs(w);
  const nothing = tensor([0]);
  if (shape.length < 4) return [tensor(x, { shape }), nothing, y];
  const order = [0, 3, 1, 2];
  return [tensor(permute(x, shape, order), { shape: order.map((axis) => shape[axis]) }), nothing, y];
}

/**
 * A function that trains one step on the fixed batch and gives the loss.
 * @param loop the loop as tutorials write it; otherwise its body is compiled.
 */
export async function build(name: WorkloadName, loop: boolean): Promise<() => Promise<number>> {
  const w = WORKLOADS[name];
  const model = network(name);
  await model.loadStateDict(stateDict(name, w));
  if (name === 'w4') model.freeze(/bias_hh/);
  const make = {
    adam: optim.adam({ lr: w.lr }),
    adamw: optim.adamw({ lr: w.lr, weightDecay: WEIGHT_DECAY }),
    sgd: optim.sgd({ lr: w.lr }),
  };
  const optimizer = make[w.optimizer](model.parameters().filter((p) => p.requiresGrad));
  const data = batch(name, w);
  const step = async (x: Tensor, mask: Tensor, y: Tensor): Promise<Tensor> => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x, mask), y);
    loss.backward();
    await optimizer.step();
    return loss;
  };
  const run = loop ? step : compile(step);
  return async () => await (await run(...data)).item();
}
