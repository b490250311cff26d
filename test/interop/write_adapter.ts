/** @file Trains an adapter for read_adapter.py: `npx tsx -C gradus-source test/interop/write_adapter.ts FOLDER`. */
import { fileURLToPath } from 'node:url';
import type { NDArray } from '../../src/ir/ndarray.ts';
import { BertForSequenceClassification, getPeftModel, loraConfig } from '../../src/models/index.ts';
import { adamw } from '../../src/optim/index.ts';
import { fromData, manualSeed } from '../../src/tensor/index.ts';
import { loadSafetensors, saveSafetensors } from '../../src/train/safetensors.ts';

const [, , folder] = process.argv;
const golden = (path: string) => fileURLToPath(new URL(`../golden/peft/${path}`, import.meta.url));
manualSeed(7);
const model = await BertForSequenceClassification.fromPretrained(golden('base'));
const peft = getPeftModel(
  model,
  loraConfig({ r: 4, loraAlpha: 8, targetModules: 'all-linear', bias: 'lora_only', taskType: 'SEQ_CLS' }),
);
const { tensors } = await loadSafetensors(golden('batch.safetensors'));
const [inputIds, attentionMask, labels] = ['input_ids', 'attention_mask', 'labels'].map((name) => {
  const { data, shape, dtype } = tensors.get(name) as NDArray;
  return fromData(data, shape, { dtype });
});
const optimizer = adamw(
  peft.parameters().filter((p) => p.requiresGrad),
  { lr: 0.02 },
);
for (let i = 0; i < 10; i++) {
  optimizer.zeroGrad();
  peft.forward({ inputIds, attentionMask, labels }).loss?.backward();
  await optimizer.step();
}
const { logits } = peft.forward({ inputIds, attentionMask });
await peft.savePretrained(folder);
await saveSafetensors(`${folder}/expected.safetensors`, {
  logits: { data: await logits.data(), shape: [...logits.shape], dtype: 'float32' },
});
