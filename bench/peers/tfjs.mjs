// TensorFlow.js, wasm: node tfjs.mjs <workload> <seconds>
//
// The networks that its wasm backend can train as documented (w1, w4, w5) are layers models. The others are written
// with tfjs-core, because the backend has no kernel for the gradient of a convolution's filter
// (Conv2DBackpropFilter: w2, w6) or of gather (UnsortedSegmentSum: w3); other operators stand in for those two.
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import {
  ENCODER,
  initialParams,
  inputs,
  measure,
  parseArguments,
  residentMb,
  targets,
  tokenInputs,
  WEIGHT_DECAY,
} from '../build/spec.js';

const { name, workload: w, seconds } = parseArguments();
const optimizer = () => (w.optimizer === 'sgd' ? tf.train.sgd(w.lr) : tf.train.adam(w.lr, 0.9, 0.999, 1e-8));
const oneHot = () => tf.oneHot(tf.tensor1d(targets(w), 'int32'), w.classes);
const batch = () => tf.tensor(inputs(w), [w.batch, ...w.input]);

/** The step of a layers model. */
function fit(...layers) {
  const model = tf.sequential({ layers });
  const values = initialParams(w);
  model.setWeights(w.params.map(([key, shape]) => tf.tensor(values[key], shape)));
  model.compile({ optimizer: optimizer(), loss: 'categoricalCrossentropy' });
  const x = batch();
  const y = oneHot();
  return () => model.trainOnBatch(x, y);
}

function mlp() {
  const widths = w.params.filter(([key]) => key.endsWith('.b')).map(([, shape]) => shape[0]);
  return fit(
    ...widths.map((units, i) =>
      tf.layers.dense({
        units,
        activation: i < widths.length - 1 ? 'relu' : 'softmax',
        ...(i === 0 ? { inputShape: w.input } : {}),
      }),
    ),
  );
}

const lstm = () =>
  fit(
    tf.layers.lstm({ units: 128, inputShape: w.input, recurrentActivation: 'sigmoid' }),
    tf.layers.dense({ units: w.classes, activation: 'softmax' }),
  );

/** The step of a function of variables that gives the logits. */
function descend(logits) {
  const values = initialParams(w);
  const v = Object.fromEntries(
    w.params.map(([key, shape]) => [key, tf.variable(tf.tensor(values[key], shape), true, key)]),
  );
  const rule = optimizer();
  const y = oneHot();
  return async () => {
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(() => tf.losses.softmaxCrossEntropy(y, logits(v)));
      if (w.optimizer === 'adamw') for (const key in v) v[key].assign(v[key].mul(1 - w.lr * WEIGHT_DECAY));
      rule.applyGradients(grads);
      return value;
    });
    const [number] = await loss.data();
    loss.dispose();
    return number;
  };
}

const dense = (v, h, key) => tf.matMul(h, v[`${key}.w`]).add(v[`${key}.b`]);

/** conv2d 3x3 'same'; the filter's gradient is a product with the nine shifted images. */
const conv2d = tf.customGrad((x, filter, save) => {
  save([x, filter]);
  const gradFunc = (dy, [x, filter]) => {
    const [n, rows, columns, c] = x.shape;
    const padded = tf.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
    const shifted = [];
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) shifted.push(tf.slice(padded, [0, i, j, 0], [n, rows, columns, c]));
    const patches = tf.concat(shifted, 3).reshape([n * rows * columns, 9 * c]);
    const dw = tf.matMul(patches, dy.reshape([n * rows * columns, -1]), true, false).reshape(filter.shape);
    return [tf.conv2dTranspose(dy, filter, x.shape, 1, 'same'), dw];
  };
  return { value: tf.conv2d(x, filter, 1, 'same'), gradFunc };
});

function cnn() {
  const x = batch();
  const conv = (v, h, key) => conv2d(h, v[`${key}.w`]).add(v[`${key}.b`]).relu();
  return descend((v) => {
    let h = tf.maxPool(conv(v, conv(v, x, 'c1'), 'c2'), 2, 2, 'same');
    h = conv(v, conv(v, h, 'c3'), 'c4');
    if (name === 'w6') return dense(v, h.mean([1, 2]), 'd1');
    h = tf.maxPool(h, 2, 2, 'same').reshape([w.batch, -1]);
    return dense(v, dense(v, h, 'd1').relu(), 'd2');
  });
}

/** gather whose gradient adds rows with scatterND. */
const lookUp = tf.customGrad((table, index, save) => {
  save([index]);
  const gradFunc = (dy, [index]) => [tf.scatterND(index.reshape([-1, 1]), dy, table.shape), tf.zerosLike(index)];
  return { value: tf.gather(table, index), gradFunc };
});

function encoder() {
  const { seq, width, heads, layers } = ENCODER;
  const host = tokenInputs(w);
  const tokens = tf.tensor1d(host.tokens, 'int32');
  const mask = tf.tensor(host.mask, [w.batch, seq, 1]);
  const bias = tf.sub(1, mask).mul(-1e9).reshape([w.batch, 1, 1, seq]);
  const norm = (v, h, key) => {
    const { mean, variance } = tf.moments(h, -1, true);
    return h.sub(mean).mul(variance.add(1e-12).rsqrt()).mul(v[`${key}.g`]).add(v[`${key}.b`]);
  };
  const gelu = (h) => h.mul(0.5).mul(h.div(Math.SQRT2).erf().add(1));
  const split = (h) => h.reshape([w.batch, seq, heads, width / heads]).transpose([0, 2, 1, 3]);
  const layer = (v, h, l) => {
    const [q, k, u] = ['q', 'k', 'v'].map((key) => split(dense(v, h, `l${l}.${key}`)));
    const scores = tf
      .matMul(q, k, false, true)
      .div(Math.sqrt(width / heads))
      .add(bias);
    const a = tf
      .matMul(tf.softmax(scores), u)
      .transpose([0, 2, 1, 3])
      .reshape([w.batch * seq, width]);
    const x = norm(v, h.add(dense(v, a, `l${l}.o`)), `l${l}.ln1`);
    return norm(v, x.add(dense(v, gelu(dense(v, x, `l${l}.f1`)), `l${l}.f2`)), `l${l}.ln2`);
  };
  return descend((v) => {
    const position = tf.slice(v.pos, [0, 0], [seq, width]);
    let h = lookUp(v.tok, tokens)
      .reshape([w.batch, seq, width])
      .add(position)
      .reshape([w.batch * seq, width]);
    h = norm(v, h, 'lne');
    for (let l = 0; l < layers; l++) h = layer(v, h, l);
    return dense(v, h.reshape([w.batch, seq, width]).mul(mask).sum(1).div(mask.sum(1)), 'head');
  });
}

await tf.setBackend('wasm');
const build = { w1: mlp, w2: cnn, w3: encoder, w4: lstm, w5: mlp, w6: cnn }[name];
const base = residentMb();
await measure(tf.version.tfjs, build(), seconds, base);
process.exit();
