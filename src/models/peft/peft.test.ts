/** @file LoRA against Python's peft: outputs, gradients, merging, files both ways, and what is refused. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AutoTokenizer } from '../../hub/index.ts';
import { ArgumentError, UnsupportedError } from '../../ir/errors.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import { Embedding } from '../../nn/embedding.ts';
import { Linear } from '../../nn/linear.ts';
import { Module } from '../../nn/module.ts';
import { adamw } from '../../optim/index.ts';
import { fromData, manualSeed, randn, type Tensor } from '../../tensor/index.ts';
import { loadSafetensors, saveSafetensors } from '../../train/safetensors.ts';
import { AutoModelForCausalLM, BertForSequenceClassification, exportTransformer, saveForInference } from '../index.ts';
import { getPeftModel, type LoraOptions, loraConfig, PeftModel } from './index.ts';

const golden = (path: string) => fileURLToPath(new URL(`../../../test/golden/peft/${path}`, import.meta.url));
const base = () => BertForSequenceClassification.fromPretrained(golden('base'));
const asTensor = ({ data, shape, dtype }: NDArray) => fromData(data.slice(), shape, { dtype });

async function tensorsOf(path: string): Promise<ReadonlyMap<string, NDArray>> {
  return (await loadSafetensors(golden(path))).tensors;
}

async function batch() {
  const tensors = await tensorsOf('batch.safetensors');
  const [inputIds, attentionMask, labels] = ['input_ids', 'attention_mask', 'labels'].map((name) =>
    asTensor(tensors.get(name) as NDArray),
  );
  return { inputIds, attentionMask, labels };
}

async function close(actual: Tensor, expected: NDArray | undefined, tolerance: number, what: string) {
  const data = await actual.data();
  expect(actual.shape, what).toEqual(expected?.shape);
  const worst = Math.max(...data.map((v, i) => Math.abs(v - (expected?.data[i] ?? Number.NaN))));
  expect(worst, what).toBeLessThan(tolerance);
}

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gradus-peft-'));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("adapters of Python's peft", () => {
  it.each(['plain', 'rslora', 'patterns'])('%s: outputs, gradients, merged weights', async (name) => {
    const expected = await tensorsOf(`${name}/golden.safetensors`);
    const model = await base();
    const peft = await PeftModel.fromPretrained(model, golden(name), { isTrainable: true });
    const { logits, loss } = peft.forward(await batch());
    await close(logits, expected.get('logits'), 2e-5, 'logits');
    loss?.backward();
    const adapter = peft.adapterStateDict();
    const gradients = [...expected.keys()].filter((key) => key.startsWith('grad.')).map((key) => key.slice(5));
    const plain = Object.fromEntries(Object.entries(adapter).map(([key, t]) => [key.replace('.base_layer', ''), t]));
    expect(Object.keys(plain).sort()).toEqual(gradients.sort());
    for (const key of gradients) await close(plain[key].grad as Tensor, expected.get(`grad.${key}`), 2e-5, key);
    const trained = peft.parameters().filter((p) => p.requiresGrad);
    expect(new Set(trained)).toEqual(new Set(Object.values(adapter)));
    const merged = peft.mergeAndUnload().eval();
    expect(merged).toBe(model);
    expect(Object.keys(model.stateDict()).some((key) => key.includes('lora'))).toBe(false);
    await close(model.forward(await batch()).logits, expected.get('merged'), 2e-5, 'merged');
  });

  it('attached and not merged, they keep the model from being written without them', async () => {
    const model = await base();
    const peft = getPeftModel(model, loraConfig({ targetModules: ['query'], r: 2 }));
    const tokenizer = AutoTokenizer.fromFiles({ 'vocab.txt': '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb' });
    await inFolder(async (folder) => {
      const message =
        /adapters \(2, the first at bert\.encoder\.layer\.0\.attention\.self\.query\) that are not merged.*mergeAndUnload/;
      await expect(model.savePretrained(folder)).rejects.toThrow(message);
      await expect(saveForInference(model, tokenizer, folder)).rejects.toThrow(message);
      await expect(exportTransformer(model, tokenizer, join(folder, 'model.onnx'))).rejects.toThrow(message);
      await expect(model.savePretrained(folder)).rejects.toThrow(ArgumentError);
      expect(await readdir(folder)).toEqual([]);
      const keys = async () => [...(await loadSafetensors(join(folder, 'model.safetensors'))).tensors.keys()].sort();
      peft.merge();
      await model.savePretrained(folder);
      const merged = await keys();
      peft.unload();
      await model.savePretrained(folder);
      expect(merged).toEqual(await keys());
      expect(merged.some((key) => key.includes('lora'))).toBe(false);
    });
  });

  it('is written with the keys and the configuration that peft reads', async () => {
    for (const name of ['plain', 'rslora', 'patterns']) {
      const peft = await PeftModel.fromPretrained(await base(), golden(name));
      await inFolder(async (folder) => {
        await peft.savePretrained(folder);
        const [own, theirs] = await Promise.all(
          [join(folder, 'adapter_model.safetensors'), golden(`${name}/adapter_model.safetensors`)].map(loadSafetensors),
        );
        expect([...own.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
        for (const [key, array] of own.tensors) expect(array).toEqual(theirs.tensors.get(key));
        const json = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'));
        const reference = JSON.parse(await readFile(golden(`${name}/adapter_config.json`), 'utf8'));
        for (const key of ['peft_type', 'r', 'lora_alpha', 'target_modules', 'bias', 'use_rslora', 'rank_pattern'])
          expect(json[key], key).toEqual(reference[key]);
      });
    }
  });

  it('the same configuration chooses the same tensors', async () => {
    const choices = {
      plain: { targetModules: ['query', 'value'], modulesToSave: ['classifier'], r: 4 },
      rslora: { targetModules: 'all-linear', bias: 'lora_only', taskType: 'SEQ_CLS', r: 3 },
      patterns: {
        targetModules: '.*layer\\.\\d+\\.(attention\\.self\\.key|output\\.dense)',
        bias: 'all',
        r: 2,
        rankPattern: { 'attention.self.key': 5 },
      },
    } as const;
    for (const [name, options] of Object.entries(choices)) {
      const config = loraConfig({ ...options, modulesToSave: 'modulesToSave' in options ? ['classifier'] : null });
      const own = getPeftModel(await base(), config).adapterStateDict();
      const theirs = await tensorsOf(`${name}/adapter_model.safetensors`);
      expect(Object.keys(own).sort()).toEqual([...theirs.keys()].sort());
      for (const [key, { shape }] of theirs) expect(own[key].shape, key).toEqual(shape);
    }
  });
});

/** GPT-2's layer: a matrix [in, out]. */
class Turned extends Module {
  readonly fanInFanOut = true;
  weight = new Linear(6, 4).weight;

  override forward(x: Tensor): Tensor {
    return x.matmul(this.weight);
  }
}

class Net extends Module {
  words = new Embedding(5, 4);
  first = new Turned();
  second = new Linear(6, 3);

  override forward(ids: Tensor): Tensor {
    return this.second.forward(this.first.forward(this.words.forward(ids)).relu());
  }
}

const ids = () => fromData(Float64Array.of(0, 3, 2), [3], { dtype: 'int64' });

describe('getPeftModel', () => {
  it('changes nothing at first, trains only the adapters, merges and unmerges', async () => {
    manualSeed(1);
    const net = new Net();
    const before = await net.forward(ids()).data();
    const weights = await Promise.all(net.parameters().map((p) => p.data()));
    const peft = getPeftModel(net, loraConfig({ r: 2, loraAlpha: 4, targetModules: /first|second/ }));
    expect(peft.adaptedLayers()).toEqual(['first', 'second']);
    expect(peft.countParameters()).toEqual({ trainable: 2 * (4 + 6) + 2 * (6 + 3), all: 20 + 24 + 21 + 38 });
    expect(await peft.forward(ids()).data()).toEqual(before);
    const optimizer = adamw(
      peft.parameters().filter((p) => p.requiresGrad),
      { lr: 0.1 },
    );
    const losses: number[] = [];
    for (let i = 0; i < 8; i++) {
      optimizer.zeroGrad();
      const loss = peft.forward(ids()).sub(1).square().mean();
      loss.backward();
      await optimizer.step();
      losses.push(await loss.item());
    }
    expect(losses[7]).toBeLessThan(0.5 * losses[0]);
    const trained = await peft.forward(ids()).data();
    expect(await peft.withoutAdapters(() => peft.forward(ids())).data()).toEqual(before);
    peft.merge();
    await close(peft.forward(ids()), { data: trained, shape: [3, 3], dtype: 'float32' }, 1e-5, 'merged');
    await expect(peft.savePretrained('unused')).rejects.toThrow(/savePretrained: the adapter is merged.*unmerge/);
    peft.unmerge();
    await close(peft.forward(ids()), { data: trained, shape: [3, 3], dtype: 'float32' }, 1e-5, 'unmerged');
    peft.unload();
    await close(net.forward(ids()), { data: before, shape: [3, 3], dtype: 'float32' }, 1e-5, 'unloaded');
    expect(net.parameters().length).toBe(weights.length);
    expect(net.parameters().every((p) => p.requiresGrad)).toBe(true);
  });

  it('drops elements of the input while training only; draws A from a normal distribution if asked', async () => {
    manualSeed(2);
    const layer = new Linear(64, 64, { bias: false });
    class One extends Module {
      only = layer;
      override forward(x: Tensor): Tensor {
        return this.only.forward(x);
      }
    }
    const config = { r: 16, loraDropout: 0.5, targetModules: ['only'], initLoraWeights: false as const };
    const peft = getPeftModel(new One(), loraConfig(config));
    const x = randn([8, 64]);
    const [a, b] = await Promise.all([peft.forward(x).data(), peft.forward(x).data()]);
    expect(a).not.toEqual(b);
    peft.eval();
    expect(await peft.forward(x).data()).toEqual(await peft.forward(x).data());
    peft.unload();
    const gaussian = getPeftModel(new One(), loraConfig({ ...config, initLoraWeights: 'gaussian' }));
    const first = await gaussian.adapterStateDict()['base_model.model.only.lora_A.weight'].data();
    const std = Math.sqrt(Array.from(first).reduce((s, v) => s + v * v, 0) / first.length);
    expect(std * 16).toBeGreaterThan(0.9);
    expect(std * 16).toBeLessThan(1.1);
  });

  it('adapts certain layers of a list only', async () => {
    const config = loraConfig({ targetModules: ['query'], layersToTransform: [1], excludeModules: ['value'] });
    expect(getPeftModel(await base(), config).adaptedLayers()).toEqual(['bert.encoder.layer.1.attention.self.query']);
    expect(getPeftModel(await base(), loraConfig()).adaptedLayers().length).toBe(4);
  });

  it("reads Python's patterns: a dot is any character, named groups, (?i) at the start", async () => {
    const own = (options: LoraOptions) => async () => getPeftModel(await base(), loraConfig({ r: 2, ...options }));
    const layer = 'bert.encoder.layer.1.attention.self.query';
    const named = {
      targetModules: '.*layer\\.1\\.(?P<part>attention)\\.self\\.query',
      rankPattern: { 'self.quer.': 5 },
    };
    const peft = await own(named)();
    expect(peft.adaptedLayers()).toEqual([layer]);
    expect(peft.adapterStateDict()[`base_model.model.${layer}.lora_A.weight`].shape).toEqual([5, 16]);
    expect((await own({ targetModules: '(?i).*LAYER\\.1\\..*QUERY' })()).adaptedLayers()).toEqual([layer]);
  });

  it('says what is wrong', async () => {
    const net = new Net();
    expect(() => getPeftModel(net, loraConfig())).toThrow(/targetModules: name the layers to adapt/);
    expect(() => getPeftModel(net, loraConfig({ targetModules: ['query'] }))).toThrow(
      'no layer matches ["query"]; the model has first, second',
    );
    expect(() => getPeftModel(net, loraConfig({ targetModules: ['first'], modulesToSave: ['head'] }))).toThrow(
      "modulesToSave: the model has no module 'head'; it has words, first, second",
    );
    expect(() => loraConfig({ r: 0 })).toThrow(/loraConfig: r: /);
    expect(() => loraConfig({ loraDropout: 2 })).toThrow(/loraConfig: loraDropout: /);
    expect(() => getPeftModel(net, loraConfig({ targetModules: '(' }))).toThrow(/is not a regular expression/);
    const peft = getPeftModel(net, loraConfig({ targetModules: ['first'] }));
    expect(() => getPeftModel(net, loraConfig({ targetModules: ['first'] }))).toThrow(/has adapters already/);
    expect(() => peft.unmerge()).toThrow('unmerge: the adapter is not merged');
    expect(() => peft.merge().merge()).toThrow('merge: the adapter is merged');
  });
});

describe('tied weights', () => {
  const gpt2 = () =>
    AutoModelForCausalLM.fromConfig({
      model_type: 'gpt2',
      vocab_size: 10,
      n_positions: 8,
      n_embd: 4,
      n_layer: 1,
      n_head: 2,
    }).eval();

  it('are not trained whole at one end, where peft would part them', () => {
    for (const modulesToSave of [['lm_head'], ['wte']])
      expect(() => getPeftModel(gpt2(), loraConfig({ modulesToSave }))).toThrow(
        /would be trained whole, but is one with .*\(tied weights\)/,
      );
    const both = getPeftModel(gpt2(), loraConfig({ modulesToSave: ['lm_head', 'wte'] }));
    expect(Object.keys(both.adapterStateDict())).toEqual(
      expect.arrayContaining(['base_model.model.lm_head.weight', 'base_model.model.transformer.wte.weight']),
    );
  });

  it('are not merged into; files that hold different values for them are refused, weights that peft adds are read', async () => {
    await inFolder(async (folder) => {
      const peft = getPeftModel(gpt2(), loraConfig({ targetModules: ['lm_head'], r: 2, initLoraWeights: false }));
      expect(() => peft.merge()).toThrow(
        "merge: the weight of 'lm_head' is also transformer.wte.weight (tied weights)",
      );
      await peft.savePretrained(folder);
      const file = join(folder, 'adapter_model.safetensors');
      const tensors = new Map((await loadSafetensors(file)).tensors);
      // As peft does where an output or an embedding is adapted.
      const weight: NDArray = { data: new Float32Array(40).fill(0.5), shape: [10, 4], dtype: 'float32' };
      tensors.set('base_model.model.lm_head.base_layer.weight', weight);
      await saveSafetensors(file, tensors);
      const again = await PeftModel.fromPretrained(gpt2(), folder);
      expect((await again.baseModel.stateDict()['transformer.wte.weight'].data()).every((v) => v === 0.5)).toBe(true);
      expect(Object.keys(again.adapterStateDict()).sort()).toEqual([...tensors.keys()].sort());
      tensors.set('base_model.model.transformer.wte.weight', { ...weight, data: new Float32Array(40) });
      await saveSafetensors(file, tensors);
      await expect(PeftModel.fromPretrained(gpt2(), folder)).rejects.toThrow(
        /is one with others.*hold.*several that differ/,
      );
    });
  });
});

it('embeddings and convolutions that a target matches are not passed over in silence', async () => {
  expect(() => getPeftModel(new Net(), loraConfig({ targetModules: ['words', 'second'] }))).toThrow(
    `targetModules: ["words","second"] matches 'words', an embedding or a convolution`,
  );
  const rest = loraConfig({ targetModules: ['words', 'second'], excludeModules: ['words'] });
  expect(getPeftModel(new Net(), rest).adaptedLayers()).toEqual(['second']);
});

describe('adapter folders that cannot be used', () => {
  const adapter = async (change: Record<string, unknown>, tensors?: (all: Map<string, NDArray>) => void) =>
    await inFolder(async (folder) => {
      const json = JSON.parse(await readFile(golden('plain/adapter_config.json'), 'utf8'));
      await writeFile(join(folder, 'adapter_config.json'), JSON.stringify({ ...json, ...change }));
      const all = new Map(await tensorsOf('plain/adapter_model.safetensors'));
      tensors?.(all);
      await saveSafetensors(join(folder, 'adapter_model.safetensors'), all);
      const model = await base();
      const before = Object.keys(model.stateDict());
      try {
        await PeftModel.fromPretrained(model, folder);
      } catch (error) {
        expect(Object.keys(model.stateDict())).toEqual(before);
        throw error;
      }
    });
  const first = 'base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight';

  it('other methods and variants', async () => {
    await expect(adapter({ peft_type: 'IA3' })).rejects.toThrow(/"peft_type": expected "LORA", found "IA3"/);
    await expect(adapter({ use_dora: true })).rejects.toThrow(/"use_dora": true is a variant of LoRA/);
    await expect(adapter({ r: 'four' })).rejects.toThrow(/"r": /);
    await expect(adapter({ alpha_pattern: { '(a+)+b': 3 } })).rejects.toThrow(/repeats a group/);
  });

  it('first values that changed the model too; others are read', async () => {
    for (const init of ['pissa', 'pissa_niter_4', 'olora', 'corda'])
      await expect(adapter({ init_lora_weights: init })).rejects.toThrow(
        new RegExp(`"init_lora_weights": "${init}" also changes the weights of the model.*merge_and_unload`),
      );
    await expect(adapter({ init_lora_weights: 'pissa' })).rejects.toThrow(UnsupportedError);
    for (const init of ['orthogonal', 'eva']) await adapter({ init_lora_weights: init });
  });

  it('tensors that are missing, too many or of other shapes', async () => {
    await expect(adapter({}, (all) => all.delete(first.replace('_A', '_B')))).rejects.toThrow(/it lacks .*lora_B/);
    await expect(adapter({}, (all) => all.delete('base_model.model.classifier.bias'))).rejects.toThrow(
      /it lacks base_model.model.classifier.bias/,
    );
    const array = (shape: number[]): NDArray => ({
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
      shape,
      dtype: 'float32',
    });
    await expect(adapter({}, (all) => all.set(first, array([4, 15])))).rejects.toThrow(/shape \[4, 15\].*\[r, 16\]/);
    await expect(adapter({}, (all) => all.set(first, array([3, 16])))).rejects.toThrow(/lora_B.*needs \[16, 3\]/);
    await expect(adapter({}, (all) => all.set('base_model.model.x.lora_A.weight', array([4, 16])))).rejects.toThrow(
      /a layer 'x' that the model does not have/,
    );
    await expect(adapter({}, (all) => all.set('base_model.model.other', array([4])))).rejects.toThrow(
      /the model has no base_model.model.other/,
    );
    const embedding = 'base_model.model.bert.embeddings.word_embeddings.lora_embedding_A';
    await expect(adapter({}, (all) => all.set(embedding, array([4, 40])))).rejects.toThrow(/adapts an embedding or/);
  });

  it('pickle files only', async () => {
    await inFolder(async (folder) => {
      await writeFile(join(folder, 'adapter_config.json'), await readFile(golden('plain/adapter_config.json')));
      await writeFile(join(folder, 'adapter_model.bin'), 'x');
      await expect(PeftModel.fromPretrained(await base(), folder)).rejects.toThrow(/a pickle file, which can run code/);
    });
  });
});
