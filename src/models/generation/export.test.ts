import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { camelKeys, decoderCases, goldenModel, toTensor } from '../../../test/golden/decoders.ts';
import { exportOnnx } from '../../hub/onnx/index.ts';
import { OnnxModel } from '../../hub/onnx/model.ts';
import { loadSafetensors } from '../../train/safetensors.ts';
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from '../auto.ts';
import type { GenerativeModel } from './index.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradus-decoders-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.each([
  ['gpt2', ['gpt2: padding on the left', 'input_ids', 'attention_mask', 'position_ids']],
  ['llama 3', ['llama 3: padding on the right', 'input_ids', 'attention_mask']],
  ['t5 v1.1', ['t5 v1.1: padding', 'input_ids', 'attention_mask', 'decoder_input_ids']],
] as const)('%s', (name, [caseName, ...inputNames]) => {
  const make = name.startsWith('t5') ? AutoModelForSeq2SeqLM : AutoModelForCausalLM;
  let model: GenerativeModel;
  beforeAll(async () => {
    model = await goldenModel(name, make);
  });

  it('exports to ONNX for any batch and length, with the same logits', async () => {
    const found = decoderCases(model.constructor.name).find((c) => c.name === caseName);
    if (!found) throw new Error(`no case ${caseName}`);
    const tensors = { decoderInputIds: toTensor(found.inputs.input_ids), ...camelOf(found.inputs) };
    const camel = inputNames.map((key) => key.replace(/_(.)/g, (_, c: string) => c.toUpperCase()));
    const inputs = Object.fromEntries(camel.map((key) => [key, tensors[key as keyof typeof tensors]]));
    const path = join(folder, `${name}.onnx`);
    await exportOnnx(model, path, {
      inputs,
      inputNames: [...inputNames],
      input: ['batch_size', 'sequence_length'],
      ...(name.startsWith('t5') ? { dynamicAxes: { decoderInputIds: ['batch_size', 'target_length'] } } : {}),
    });
    const exported = await OnnxModel.load(path);
    // One text, shorter than the example.
    const shorter = Object.values(inputs).map((t) => t.narrow(0, 0, 1).narrow(1, t.size(1) - 4, 4));
    const named = Object.fromEntries(camel.map((key, i) => [key, shorter[i]]));
    const expected = (model.forward as (inputs: object) => { logits: (typeof shorter)[0] })(named).logits;
    const { logits } = exported.forwardAll(...shorter);
    expect(logits.shape).toEqual([1, 4, 19]);
    expect(await logits.sub(expected).abs().max().item()).toBeLessThan(1e-4);
  });

  it('is saved with the keys of transformers and loaded again', async () => {
    const path = join(folder, name);
    await model.savePretrained(path);
    const { tensors } = await loadSafetensors(join(path, 'model.safetensors'));
    const golden = decoderCases(model.constructor.name).find((c) => c.name === name);
    expect([...tensors.keys()].sort()).toEqual(Object.keys(golden?.state ?? {}).sort());
    const again = await make.fromPretrained(path);
    const options = { maxNewTokens: 6, eosTokenId: null };
    expect(await (await again.generate([5, 3, 8], options)).array()).toEqual(
      await (await model.generate([5, 3, 8], options)).array(),
    );
  });
});

const camelOf = (inputs: Parameters<typeof camelKeys>[0]) =>
  Object.fromEntries(Object.entries(camelKeys(inputs)).map(([key, t]) => [key, toTensor(t as never)]));
