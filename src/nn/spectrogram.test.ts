import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exportOnnx, grad, nn, type Tensor, tensor, zeros } from '../index.ts';
import { ArgumentError, ShapeError } from '../ir/errors.ts';

const golden = JSON.parse(fs.readFileSync('test/golden/audio.json', 'utf8'));

async function expectClose(found: Tensor, expected: readonly number[], tolerance = 2e-5): Promise<void> {
  const data = await found.data();
  expect(data.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  expected.forEach((want, i) => {
    if (!(Math.abs(data[i] - want) <= tolerance * scale)) expect.fail(`element ${i}: ${data[i]}, expected ${want}`);
  });
}

describe('Spectrogram', () => {
  it.each<[string, number]>(
    golden.spectrogram.map((c: { options: object }, i: number) => [JSON.stringify(c.options), i]),
  )('%s equals torch.stft, and its gradient', async (_, i) => {
    const { options, x, shape, y, gradOutput, grad: expected } = golden.spectrogram[i];
    const layer = new nn.Spectrogram(options);
    const input = tensor(x, { shape: [2, 40], requiresGrad: true });
    const output = layer.forward(input);
    expect(output.shape).toEqual(shape);
    expect(layer.frames(40)).toBe(shape[2]);
    await expectClose(output, y);
    const dx = grad([layer.forward(input)], [input], { gradOutputs: [tensor(gradOutput).reshape(shape)] });
    await expectClose(dx[0], expected);
  });

  it('takes any number of leading dimensions', async () => {
    const { options, x, y } = golden.spectrogram[0];
    const layer = new nn.Spectrogram(options);
    const one = layer.forward(tensor(x).reshape([2, 40]).select(0, 1));
    expect(one.shape).toEqual([9, 6]);
    await expectClose(one, y.slice(y.length / 2));
    expect(layer.forward(tensor(x).reshape([2, 1, 40])).shape).toEqual([2, 1, 9, 6]);
  });

  it('keeps nothing in the state', () => {
    expect(new nn.MelSpectrogram({ nMels: 20 }).stateDict()).toEqual({});
  });

  it('gives silence a finite magnitude and gradient', async () => {
    const x = zeros([1, 40], { requiresGrad: true });
    const y = new nn.Spectrogram({ nFft: 16, power: 1 }).forward(x);
    expect(await y.sum().item()).toBe(0);
    expect([...(await grad(y.sum(), x).data())].every((v) => v === 0)).toBe(true);
  });

  it('refuses what it cannot compute', () => {
    expect(() => new nn.Spectrogram({ nFft: 16, winLength: 20 })).toThrow(ArgumentError);
    expect(() => new nn.Spectrogram({ hopLength: 0 })).toThrow('Spectrogram: hopLength must be a whole number above 0');
    expect(() => new nn.Spectrogram({ nFft: 16 }).forward(zeros([1, 8]))).toThrow(
      /at least 9 samples for nFft 16, found \[1, 8\]; pad the signal first/,
    );
    expect(() => new nn.Spectrogram({ nFft: 16, center: false }).forward(zeros([1, 15]))).toThrow(ShapeError);
  });
});

describe('mel', () => {
  it('scales: values of the documentation of librosa', () => {
    expect(nn.hzToMel(60, 'slaney')).toBeCloseTo(0.9, 12);
    expect([110, 220, 440].map((f) => nn.hzToMel(f, 'slaney'))).toEqual(
      [1.65, 3.3, 6.6].map((v) => expect.closeTo(v, 12)),
    );
    expect([1, 2, 3, 4, 5].map((m) => nn.melToHz(m, 'slaney'))).toEqual(
      [66.667, 133.333, 200, 266.667, 333.333].map((v) => expect.closeTo(v, 2)),
    );
    expect(nn.hzToMel(1000)).toBeCloseTo(999.9855, 3);
    for (const scale of ['htk', 'slaney'] as const)
      for (const hz of [0, 300, 1000, 4000]) expect(nn.melToHz(nn.hzToMel(hz, scale), scale)).toBeCloseTo(hz, 8);
  });

  it('filters equal torchaudio', () => {
    for (const { options, values } of golden.filters) {
      const { bins, ...rest } = options;
      const found = nn.melFilters(bins, rest);
      expect(found.length).toBe(values.length);
      values.forEach((v: number, i: number) => {
        expect(found[i]).toBeCloseTo(v, 6);
      });
    }
  });

  it('refuses filters between two frequencies, and frequencies out of order', () => {
    expect(() => nn.melFilters(65, { sampleRate: 8000, nMels: 64 })).toThrow(
      /filter \d+ of 64 .* holds none of the 65 frequencies; use fewer nMels or a larger nFft/,
    );
    expect(() => nn.melFilters(65, { sampleRate: 8000, fMax: 5000 })).toThrow('fMax <= 4000');
  });

  it('MelSpectrogram and decibels', async () => {
    const { options, x, shape, mel, db, topDb, cut } = golden.mel;
    const y = new nn.MelSpectrogram(options).forward(tensor(x).unsqueeze(0));
    expect(y.shape).toEqual(shape);
    await expectClose(y, mel);
    await expectClose(new nn.AmplitudeToDB().forward(y), db);
    await expectClose(new nn.AmplitudeToDB({ topDb }).forward(y), cut);
    expect(() => new nn.AmplitudeToDB({ amin: 0 })).toThrow(ArgumentError);
  });

  it('exports with dynamic batch and length, in operators of ONNX', async () => {
    class LogMel extends nn.Module {
      mel = new nn.MelSpectrogram({ sampleRate: 8000, nFft: 64, nMels: 8 });
      override forward(x: Tensor): Tensor {
        return this.mel.forward(x).add(1e-6).log();
      }
    }
    const bytes = await exportOnnx(new LogMel(), null, { inputs: [['batch', 'samples']] });
    expect(bytes.length).toBeGreaterThan(1000);
  });

  it('exports where lengths near the example give equally many frames, and steps come before the batch', async () => {
    class Steps extends nn.Module {
      mel = new nn.MelSpectrogram({ sampleRate: 8000, nFft: 256, hopLength: 80, nMels: 8 });
      head = new nn.Linear(8, 3);
      override forward(x: Tensor): Tensor {
        return this.head.forward(this.mel.forward(x).permute([2, 0, 1]));
      }
    }
    // exportOnnx runs the file at other sizes than the example's and compares.
    await exportOnnx(new Steps(), null, { inputs: [zeros([1, 8000])], input: ['batch', 'samples'] });
    class Bound extends nn.Module {
      steps = new Steps();
      override forward(x: Tensor): Tensor {
        const y = this.steps.forward(x);
        return y.clamp({ max: y.shape[0] });
      }
    }
    await expect(
      exportOnnx(new Bound(), null, { inputs: [zeros([1, 8000])], input: ['batch', 'samples'] }),
    ).rejects.toThrow(/cannot be written as a formula/);
  });
});
