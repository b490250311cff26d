/** @file A folder with everything that other programs need of a model: weights, configuration, tokenizer, ONNX. */
import { exportOnnx } from '../hub/onnx/index.ts';
import type { Tokenizer } from '../hub/tokenizer/index.ts';
import { fromData } from '../tensor/index.ts';
import { nodeFiles } from '../train/node-files.ts';
import { mergedAdapterKeys } from './attached-adapters.ts';
import type { PreTrainedModel } from './pretrained-model.ts';

const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * Writes a model that reads texts as an ONNX file with the names that exports of Python's transformers have: inputs
 * `input_ids`, `attention_mask` (and `token_type_ids`, where the tokenizer gives them), int64, of any batch and length.
 * @throws as exportOnnx; ArgumentError while adapters are attached that are not merged.
 */
export async function exportTransformer(model: PreTrainedModel, tokenizer: Tokenizer, path: string): Promise<void> {
  mergedAdapterKeys(model, 'exportTransformer');
  // Two texts, one of them padded: the file is run on them and compared with the model.
  const [short, long] = tokenizer.encodeBatch(['a', 'a b c d e f']);
  const length = long.inputIds.length;
  const rows = (a: readonly number[], b: readonly number[], padding: number) => [
    ...Array.from({ length }, (_, i) => a[i] ?? padding),
    ...b,
  ];
  const columns: Record<string, readonly number[]> = {
    input_ids: rows(short.inputIds, long.inputIds, tokenizer.padTokenId ?? 0),
    attention_mask: rows(short.attentionMask, long.attentionMask, 0),
    ...(short.tokenTypeIds && long.tokenTypeIds
      ? { token_type_ids: rows(short.tokenTypeIds, long.tokenTypeIds, 0) }
      : {}),
  };
  const names = Object.keys(columns);
  const inputs = Object.fromEntries(
    names.map((name) => [camel(name), fromData(Float64Array.from(columns[name]), [2, length], { dtype: 'int64' })]),
  );
  await exportOnnx(model, path, { inputs, inputNames: names, input: ['batch_size', 'sequence_length'] });
}

/**
 * Writes a folder that Python's transformers (`from_pretrained(folder)`), transformers.js (`pipeline(task, folder)`) and
 * any ONNX Runtime open: config.json, model.safetensors, the tokenizer's files, onnx/model.onnx, and model.onnx, which is
 * the same file under a second name (a hard link; a copy where the file system has no links).
 * @throws as savePretrained and exportOnnx.
 */
export async function saveForInference(model: PreTrainedModel, tokenizer: Tokenizer, folder: string): Promise<void> {
  const { fs, path } = nodeFiles();
  mergedAdapterKeys(model, 'saveForInference');
  await model.savePretrained(folder);
  await tokenizer.savePretrained(folder);
  const [kept, second] = [path.join(folder, 'onnx', 'model.onnx'), path.join(folder, 'model.onnx')];
  await fs.mkdir(path.dirname(kept), { recursive: true });
  await exportTransformer(model, tokenizer, kept);
  await fs.rm(second, { force: true });
  await fs.link(kept, second).catch(async () => await fs.copyFile(kept, second));
}
