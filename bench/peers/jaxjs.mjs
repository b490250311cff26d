// jax-js, wasm: node jaxjs.mjs <workload> <seconds> [workers]
//
// 'workers' gives the library a Web Worker, which Node lacks; with it jax-js uses all cores, as it does in a browser.
// Two things are written otherwise than its documentation would: a convolution is a product with the nine shifted
// images (lax.conv is about 30 times slower: w2, w6), and tokens are looked up outside of jit, which does not compile
// the gradient of np.take (w3). Arrays are owned: a function consumes its arguments, `.ref` keeps one alive.
import { readFileSync } from 'node:fs';
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
import { installWorker } from './worker.mjs';

const { name, workload: w, seconds, setting } = parseArguments();
if (setting === 'workers') installWorker();
const jax = await import('@jax-js/jax');
const { numpy: np, nn, tree, jit, valueAndGrad, vjp } = jax;

const dense = (p, h, key) => np.matmul(h, p[`${key}.w`]).add(p[`${key}.b`]);
const crossEntropy = (logits, y) =>
  nn
    .logSoftmax(logits, -1)
    .mul(y)
    .sum()
    .mul(-1 / w.batch);

function mlp(p, { x, y }) {
  const keys = w.params.filter(([key]) => key.endsWith('.w')).map(([key]) => key.slice(0, -2));
  return crossEntropy(
    keys.reduce((h, key, i) => dense(p, i ? nn.relu(h) : h, key), x),
    y,
  );
}

function conv(p, h, key) {
  const [n, rows, columns, c] = h.shape;
  const padded = np.pad(h, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]);
  const shifted = [];
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) shifted.push(padded.ref.slice([], [i, i + rows], [j, j + columns]));
  padded.dispose();
  const patches = np.concatenate(shifted, 3).reshape([n * rows * columns, 9 * c]);
  const out = np.matmul(patches, p[`${key}.w`].reshape([9 * c, -1])).add(p[`${key}.b`]);
  return nn.relu(out.reshape([n, rows, columns, -1]));
}

function pool(h) {
  const [n, rows, columns, c] = h.shape;
  return np.max(h.reshape([n, rows / 2, 2, columns / 2, 2, c]), [2, 4]);
}

function cnn(p, { x, y }) {
  let h = pool(conv(p, conv(p, x, 'c1'), 'c2'));
  h = conv(p, conv(p, h, 'c3'), 'c4');
  if (name === 'w6') return crossEntropy(dense(p, h.mean([1, 2]), 'd1'), y);
  h = pool(h).reshape([w.batch, -1]);
  return crossEntropy(dense(p, nn.relu(dense(p, h, 'd1')), 'd2'), y);
}

/** There is no lax.scan: the time steps are unrolled into one graph. */
function lstm(p, { x, y }) {
  const [steps, width] = w.input;
  const fromInput = np.matmul(x.reshape([w.batch * steps, width]), p['lstm.w']).add(p['lstm.b']);
  const z = fromInput.reshape([w.batch, steps, 512]);
  let h = np.zeros([w.batch, 128]);
  let c = np.zeros([w.batch, 128]);
  for (let t = 0; t < steps; t++) {
    const gates = z.ref.slice([], t).add(np.matmul(h, p['lstm.r'].ref));
    const [i, f, g, o] = [0, 1, 2, 3].map((k) => gates.ref.slice([], [128 * k, 128 * (k + 1)]));
    gates.dispose();
    c = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)));
    h = nn.sigmoid(o).mul(np.tanh(c.ref));
  }
  for (const a of [z, p['lstm.r'], c]) a.dispose();
  return crossEntropy(dense(p, h, 'd1'), y);
}

function encoder(p, { mask, y }) {
  const { seq, width, heads, layers } = ENCODER;
  const norm = (h, key) => nn.standardize(h, -1, { epsilon: 1e-12 }).mul(p[`${key}.g`]).add(p[`${key}.b`]);
  const bias = mask.ref.sub(1).mul(1e9).reshape([w.batch, 1, 1, seq]);
  const split = (h) => h.reshape([w.batch, seq, heads, width / heads]);
  const layer = (h, l) => {
    const [q, k, v] = ['q', 'k', 'v'].map((key) => split(dense(p, h.ref, `l${l}.${key}`)));
    const a = nn.dotProductAttention(q, k, v, { bias: bias.ref }).reshape([w.batch * seq, width]);
    const x = norm(h.add(dense(p, a, `l${l}.o`)), `l${l}.ln1`);
    const f = nn.gelu(dense(p, x.ref, `l${l}.f1`), { approximate: false });
    return norm(x.add(dense(p, f, `l${l}.f2`)), `l${l}.ln2`);
  };
  let h = p.rows
    .reshape([w.batch, seq, width])
    .add(p.pos.slice([0, seq]))
    .reshape([w.batch * seq, width]);
  h = norm(h, 'lne');
  for (let l = 0; l < layers; l++) h = layer(h, l);
  bias.dispose();
  const m = mask.reshape([w.batch, seq, 1]);
  const pooled = h.reshape([w.batch, seq, width]).mul(m.ref).sum(1).div(m.sum(1));
  return crossEntropy(dense(p, pooled, 'head'), y);
}

/** Adam and AdamW as a pure function: (parameters, state, scalars of this step, gradients) to new parameters and state. */
function adam(params, { m, v }, { scaleM, scaleV }, grads) {
  const decay = w.optimizer === 'adamw' ? WEIGHT_DECAY : 0;
  const [p2, m2, v2] = [{}, {}, {}];
  for (const key of Object.keys(params)) {
    const g = grads[key];
    m2[key] = m[key].mul(0.9).add(g.ref.mul(0.1));
    v2[key] = v[key].mul(0.999).add(g.ref.mul(g).mul(0.001));
    const denominator = np.sqrt(v2[key].ref.mul(scaleV.ref)).add(1e-8);
    p2[key] = params[key].mul(1 - w.lr * decay).sub(m2[key].ref.mul(scaleM.ref).div(denominator).mul(w.lr));
  }
  tree.dispose([scaleM, scaleV]);
  return [p2, { m: m2, v: v2 }];
}

function sgd(params, state, scalars, grads) {
  tree.dispose(scalars);
  return [Object.fromEntries(Object.keys(params).map((key) => [key, params[key].sub(grads[key].mul(w.lr))])), state];
}

const update = w.optimizer === 'sgd' ? sgd : adam;

/** A whole training step in a single jit. */
const fused = (loss) =>
  jit((params, state, scalars, data) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(params), data);
    return [value, ...update(params, state, scalars, grads)];
  });

/** Two jits; the lookup of tokens and its gradient stand between them. */
function lookupOutside(loss) {
  const gradients = jit(valueAndGrad(loss));
  const apply = jit(update);
  return (params, state, scalars, { tokens, ...data }) => {
    const { tok, ...rest } = params;
    const [rows, pull] = vjp((table) => np.take(table, tokens.ref, 0), [tok.ref]);
    const [value, { rows: rowGradients, ...grads }] = gradients({ ...tree.ref(rest), rows }, data);
    const [tokGradient] = pull(rowGradients);
    pull.dispose();
    tokens.dispose();
    return [value, ...apply(params, state, scalars, { ...grads, tok: tokGradient })];
  };
}

function batch() {
  const oneHot = new Float32Array(w.batch * w.classes);
  targets(w).forEach((c, i) => {
    oneHot[i * w.classes + c] = 1;
  });
  const y = np.array(oneHot).reshape([w.batch, w.classes]);
  if (name !== 'w3') return { x: np.array(inputs(w)).reshape([w.batch, ...w.input]), y };
  const { tokens, mask } = tokenInputs(w);
  return { tokens: np.array(tokens, { dtype: np.int32 }), mask: np.array(mask).reshape([w.batch, ENCODER.seq]), y };
}

await jax.init('wasm');
const base = residentMb();
const loss = { w1: mlp, w2: cnn, w3: encoder, w4: lstm, w5: mlp, w6: cnn }[name];
const trainStep = name === 'w3' ? lookupOutside(loss) : fused(loss);
const values = initialParams(w);
const data = batch();
const zeros = (params) => tree.map((a) => np.zeros(a.shape), params);
let params = Object.fromEntries(w.params.map(([key, shape]) => [key, np.array(values[key]).reshape(shape)]));
let state = w.optimizer === 'sgd' ? {} : { m: zeros(params), v: zeros(params) };
let t = 0;

async function step() {
  t += 1;
  const scalars = { scaleM: np.array([1 / (1 - 0.9 ** t)]), scaleV: np.array([1 / (1 - 0.999 ** t)]) };
  let value;
  [value, params, state] = trainStep(params, state, scalars, tree.ref(data));
  await jax.blockUntilReady([params, state]);
  return (await value.data())[0];
}

const manifest = new URL('./node_modules/@jax-js/jax/package.json', import.meta.url);
await measure(JSON.parse(readFileSync(manifest, 'utf8')).version, step, seconds, base);
process.exit();
