/** @file Writes the file that read_safetensors.py checks: `npx tsx -C gradus-source test/interop/write_safetensors.ts PATH`. */
import { saveSafetensors } from '../../src/train/safetensors.ts';

await saveSafetensors(
  process.argv[2],
  {
    weight: { data: Float32Array.of(1.5, -2, 0.25, 1e-3), shape: [2, 2], dtype: 'float32' },
    double: { data: Float64Array.of(0.1, -1e300), shape: [2], dtype: 'float64' },
    half: { data: Uint16Array.of(0x3c00, 0xc000), shape: [2], dtype: 'float16' },
    brain: { data: Uint16Array.of(0x3f80, 0xc040), shape: [2], dtype: 'bfloat16' },
    steps: { data: Float64Array.of(2 ** 53 - 1, -1, -(2 ** 32) - 5), shape: [3], dtype: 'int64' },
    mask: { data: Uint8Array.of(1, 0, 1), shape: [3], dtype: 'bool' },
    bytes: { data: Uint8Array.of(0, 255), shape: [2], dtype: 'uint8' },
    scalar: { data: Int32Array.of(42), shape: [], dtype: 'int32' },
    empty: { data: new Float32Array(0), shape: [0, 3], dtype: 'float32' },
    名: { data: Int16Array.of(7), shape: [1], dtype: 'int16' },
  },
  { format: 'pt', note: 'a "quoted" text' },
);
