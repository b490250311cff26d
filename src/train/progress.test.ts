import { describe, expect, it, vi } from 'vitest';
import { formatLine, formatNumber, formatTime, Progress, type ProgressStream } from './progress.ts';
import { SpeedMeter } from './speed.ts';

class Screen implements ProgressStream {
  readonly isTTY: boolean;
  columns = 100;
  text = '';

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }

  /** What the lines show after carriage returns and erasing. */
  lines(): string[] {
    return this.text.split('\n').map((line) =>
      line.split('\r').reduce((shown, part) => {
        const [text, ...erased] = part.split('\x1b[K');
        if (part.startsWith('\x1b[2K')) return part.slice(4);
        return erased.length > 0 ? text : text + shown.slice(text.length);
      }, ''),
    );
  }
}

/** Two epochs of four steps, 100 ms and 32 samples each. */
async function demo(stream: Screen, interactive?: boolean): Promise<string[]> {
  let time = 0;
  const frames: string[] = [];
  const progress = await Progress.create({ epochs: 2, stream, interactive, now: () => time });
  for (let epoch = 1; epoch <= 2; epoch++) {
    progress.startEpoch(epoch, 4);
    for (let step = 1; step <= 4; step++) {
      time += 100;
      progress.step({ loss: 1 / step, accuracy: 0.5 }, 32);
      if (step === 2) await new Promise((resolve) => setTimeout(resolve, 150));
      if (step === 2) frames.push(stream.lines().at(-1) ?? '');
      if (step === 2) progress.print(`note ${epoch}`);
    }
    progress.endEpoch({ loss: 0.25, val_loss: 0.5 });
  }
  progress.stop();
  progress.stop();
  return frames;
}

describe('Progress', () => {
  it('writes one plain line per epoch where there is no terminal', async () => {
    const stream = new Screen(false);
    await demo(stream);
    expect(stream.text).toBe(
      'note 1\nepoch 1/2: loss 0.2500, val_loss 0.5000, 320 samples/s, 0.4 s\n' +
        'note 2\nepoch 2/2: loss 0.2500, val_loss 0.5000, 320 samples/s, 0.4 s\n',
    );
  });

  it('draws a live line in a terminal, and leaves the same lines behind', async () => {
    const stream = new Screen(true);
    const frames = await demo(stream, true);
    expect(frames).toEqual([
      'epoch 1/2 ██████░░░░░░ 2/4 · loss 0.5000 · accuracy 0.5000 · 320 samples/s · ETA 0:01 (all 0:01)',
      'epoch 2/2 ██████████░░░░░░░░░░ 2/4 · loss 0.5000 · accuracy 0.5000 · 320 samples/s · ETA 0:01',
    ]);
    expect(stream.lines()).toEqual([
      'note 1',
      'epoch 1/2: loss 0.2500, val_loss 0.5000, 320 samples/s, 0.4 s',
      'note 2',
      'epoch 2/2: loss 0.2500, val_loss 0.5000, 320 samples/s, 0.4 s',
      '',
    ]);
    // Nothing that would have to be undone when the process dies: no hidden cursor, no wrapping switched off.
    expect(stream.text).not.toContain('\x1b[?');
  });

  it('is plain under CI and in dumb terminals', async () => {
    for (const [ci, term, want] of [
      ['', 'xterm', true],
      ['true', 'xterm', false],
      ['false', 'xterm', true],
      ['', 'dumb', false],
    ] as const) {
      vi.stubEnv('CI', ci);
      vi.stubEnv('TERM', term);
      expect((await Progress.create({ stream: new Screen(true) })).interactive, `CI=${ci} TERM=${term}`).toBe(want);
    }
    vi.unstubAllEnvs();
  });
});

describe('formatLine', () => {
  const line = {
    epoch: 3,
    epochs: 10,
    step: 45,
    steps: 120,
    values: { loss: 0.123456, accuracy: 0.98 },
    samplesPerSecond: 12345.6,
    left: 42,
    leftInAll: 3700,
  };
  it.each([120, 95, 80, 60, 44, 30, 12])('fits %i columns', (width) => {
    expect(formatLine(line, width).length).toBeLessThanOrEqual(width);
  });

  it('drops the least important first', () => {
    expect([120, 80, 60, 44, 30, 12].map((width) => formatLine(line, width)).join('\n')).toMatchInlineSnapshot(`
      "epoch  3/10 ████████░░░░░░░░░░░░  45/120 · loss 0.1235 · accuracy 0.9800 · 12,346 samples/s · ETA 0:42 (all 1:01:40)
      epoch  3/10 █████░░░░░░░  45/120 · loss 0.1235 · accuracy 0.9800 · ETA 0:42
      epoch  3/10 ███░░░░░  45/120 · loss 0.1235 · ETA 0:42
      epoch  3/10 ███░░░░░  45/120 · ETA 0:42
      epoch  3/10 ██░░  45/120
      epoch  3/10 "
    `);
  });

  it('counts steps where their number is not known', () => {
    const unknown = { ...line, steps: undefined, left: undefined, leftInAll: undefined, epochs: undefined };
    expect(formatLine(unknown, 80)).toBe('epoch 3 step 45 · loss 0.1235 · accuracy 0.9800 · 12,346 samples/s');
  });
});

it('formats numbers and times', () => {
  expect([0, 3, 0.5, 123.456, 1e-4, 0.00123456, 123456.7, -2.5, Number.NaN, 1e12].map(formatNumber)).toEqual([
    '0',
    '3',
    '0.5000',
    '123.5',
    '1.00e-4',
    '0.001235',
    '1.23e+5',
    '-2.500',
    'NaN',
    '1.00e+12',
  ]);
  expect([0, 0.2, 59.5, 61, 3599, 3600, 36610].map(formatTime)).toEqual([
    '0:00',
    '0:01',
    '1:00',
    '1:01',
    '59:59',
    '1:00:00',
    '10:10:10',
  ]);
});

it('SpeedMeter leaves out the first step and pauses, and follows changes of speed', () => {
  let time = 0;
  const meter = new SpeedMeter(() => time);
  const steps = (n: number, ms: number) => {
    for (let i = 0; i < n; i++) {
      time += ms;
      meter.add(10);
    }
  };
  meter.pause();
  steps(1, 9000);
  expect(meter.samplesPerSecond).toBeUndefined();
  steps(10, 100);
  expect(meter.samplesPerSecond).toBeCloseTo(100, 6);
  expect(meter.secondsPerStep).toBeCloseTo(0.1, 6);
  time += 60_000;
  meter.pause();
  steps(1, 100);
  expect(meter.samplesPerSecond).toBeCloseTo(100, 6);
  steps(600, 50);
  expect(meter.samplesPerSecond).toBeCloseTo(200, 0);
});
