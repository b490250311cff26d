import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ArgumentError, FormatError } from '../../ir/errors.ts';
import { AppendFile } from './append-file.ts';
import { crc32c } from './crc32c.ts';
import { type MetricsRecord, MetricsWriter, readMetrics, TensorBoardWriter } from './index.ts';
import { type Event, encodeEvent } from './tensorboard-events.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gradus-records-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const golden: { png: string; crc32c: Record<string, number>; records: string[] } = JSON.parse(
  fs.readFileSync('test/golden/tensorboard_events.json', 'utf8'),
);
const png = Buffer.from(golden.png, 'base64');

describe('MetricsWriter', () => {
  it('writes one JSON object per line, NaN included, and reads it back', async () => {
    const file = path.join(folder, 'a', 'metrics.jsonl');
    const records: MetricsRecord[] = [
      { step: 1, loss: 0.5, phase: 'train', ok: true },
      { step: 2, loss: Number.NaN, up: Number.POSITIVE_INFINITY, down: Number.NEGATIVE_INFINITY },
    ];
    {
      await using writer = await MetricsWriter.open(file);
      for (const record of records) writer.write(record);
    }
    expect(fs.readFileSync(file, 'utf8')).toBe(
      '{"step":1,"loss":0.5,"phase":"train","ok":true}\n{"step":2,"loss":"NaN","up":"Infinity","down":"-Infinity"}\n',
    );
    expect(await readMetrics(file)).toEqual(records);
  });

  it('starts anew without resumeAt, and cuts later steps with it', async () => {
    const file = path.join(folder, 'resume.jsonl');
    const write = async (steps: number[], resumeAt?: number) => {
      const writer = await MetricsWriter.open(file, { resumeAt });
      for (const step of steps) writer.write({ step });
      await writer.close();
    };
    const steps = async () => (await readMetrics(file)).map((r) => r.step);
    await write([1, 2, 3, 4]);
    await write([3, 4, 5], 2);
    expect(await steps()).toEqual([1, 2, 3, 4, 5]);
    await write([6], 5);
    expect(await steps()).toEqual([1, 2, 3, 4, 5, 6]);
    await write([1]);
    expect(await steps()).toEqual([1]);
    fs.rmSync(file);
    await write([8], 7);
    expect(await steps()).toEqual([8]);
  });

  it('mends a file torn at any byte', async () => {
    const file = path.join(folder, 'torn.jsonl');
    const text = '{"step":1,"loss":0.25}\n{"step":2,"name":"grün"}\n{"step":3,"loss":12}\n';
    const bytes = new TextEncoder().encode(text);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length }), async (cut) => {
        fs.writeFileSync(file, bytes.subarray(0, cut));
        const whole = bytes.subarray(0, cut).filter((b) => b === 10).length;
        expect(await readMetrics(file)).toHaveLength(whole);
        const writer = await MetricsWriter.open(file, { resumeAt: 10 });
        writer.write({ step: 11 });
        await writer.close();
        const lines = fs.readFileSync(file, 'utf8').split('\n');
        expect(lines).toEqual([...text.split('\n').slice(0, whole), '{"step":11}', '']);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses files that hold something else, and leaves them as they are', async () => {
    const file = path.join(folder, 'other.txt');
    for (const text of ['my notes\nline 2\nline 3\n', '{"a":1}\n{"step":1}\n']) {
      fs.writeFileSync(file, text);
      await expect(MetricsWriter.open(file, { resumeAt: 1 })).rejects.toThrow(FormatError);
      await expect(readMetrics(file)).rejects.toThrow(/other.txt: line 1 is not a metrics record/);
      expect(fs.readFileSync(file, 'utf8')).toBe(text);
    }
  });

  it('refuses wrong steps and writing after close', async () => {
    const writer = await MetricsWriter.open(path.join(folder, 'steps.jsonl'));
    expect(() => writer.write({ step: -1 })).toThrow(ArgumentError);
    expect(() => writer.write({ step: 0.5 })).toThrow('step 0.5, expected a non-negative integer');
    await writer.close();
    await writer.close();
    expect(() => writer.write({ step: 1 })).toThrow('the writer is closed');
  });

  it('keeps what was flushed when the process is killed', async () => {
    const file = path.join(folder, 'killed.jsonl');
    const script = path.join(folder, 'killed.mjs');
    fs.writeFileSync(
      script,
      `import { MetricsWriter } from ${JSON.stringify(pathToFileURL(path.resolve('src/train/records/metrics-file.ts')).href)};
       const writer = await MetricsWriter.open(${JSON.stringify(file)});
       for (let step = 1; step <= 500; step++) writer.write({ step, loss: 1 / step });
       await writer.flush();
       process.stdout.write('flushed');
       for (let step = 501; ; step++) { writer.write({ step }); if (step % 1000 === 0) await new Promise(setImmediate); }`,
    );
    const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const records = await readMetrics(file);
    expect(records.length).toBeGreaterThanOrEqual(500);
    expect(records.map((r) => r.step)).toEqual(records.map((_, i) => i + 1));
  });
});

describe('AppendFile', () => {
  it('reports a full disk on flush and takes the broken batch back', async () => {
    if (!fs.existsSync('/dev/full')) return;
    const file = await AppendFile.open('/dev/full');
    file.append(Uint8Array.of(1));
    await expect(file.flush()).rejects.toThrow(
      /cannot write \/dev\/full: the device is full: free some space.*records since/,
    );
    file.append(Uint8Array.of(2));
    await expect(file.close()).rejects.toThrow(/ENOSPC/);
  });

  it('names a path that cannot be opened', async () => {
    await expect(AppendFile.open('/proc/nothing/here')).rejects.toThrow(/cannot open \/proc\/nothing\/here: .*ENOENT/);
  });
});

describe('TensorBoard events', () => {
  it('computes CRC-32C', () => {
    for (const [text, crc] of Object.entries(golden.crc32c)) expect(crc32c(new TextEncoder().encode(text))).toBe(crc);
  });

  const events: Event[] = [
    { wallTime: 1700000000.25, content: { kind: 'version' } },
    { wallTime: 1700000001, step: 70, content: { kind: 'start' } },
    { wallTime: 1700000002, step: 1, content: { kind: 'scalar', tag: 'loss/train', value: 0.1 } },
    { wallTime: 1700000003, step: 0, content: { kind: 'scalar', tag: 'zero', value: 0 } },
    { wallTime: 1700000004, step: 2 ** 40, content: { kind: 'scalar', tag: 'nan', value: Number.NaN } },
    { wallTime: 1700000005, step: 300, content: { kind: 'text', tag: 'note', text: '**grün**' } },
    { wallTime: 1700000006, step: 5, content: { kind: 'image', tag: 'picture', png, width: 3, height: 2 } },
  ];
  it.each(events.map((event, i) => [event.content.kind, event, golden.records[i]] as const))(
    'encodes as TensorBoard does: %s',
    (_, event, want) => {
      expect(Buffer.from(encodeEvent(event)).toString('base64')).toBe(want);
    },
  );

  it('writes a file of these events', async () => {
    let now = 1700000000.25;
    const writer = await TensorBoardWriter.open(path.join(folder, 'tb'), { now: () => now });
    now = 1700000002;
    writer.scalar('loss/train', 0.1, 1);
    now = 1700000005;
    writer.text('note', '**grün**', 300);
    now = 1700000006;
    writer.image('picture', png, 5);
    await writer.close();
    expect(path.basename(writer.path)).toMatch(/^events\.out\.tfevents\.1700000000\.gradus\.\d+\.[0-9a-f]{8}$/);
    const want = [0, 2, 5, 6].map((i) => Buffer.from(golden.records[i], 'base64'));
    expect(fs.readFileSync(writer.path).equals(Buffer.concat(want))).toBe(true);
  });

  it('writes the resumed step, and refuses wrong input', async () => {
    const writer = await TensorBoardWriter.open(path.join(folder, 'tb2'), { resumeAt: 69, now: () => 1700000001 });
    expect(() => writer.image('x', Uint8Array.of(1, 2), 0)).toThrow(FormatError);
    expect(() => writer.scalar('x', 1, -1)).toThrow('scalar "x": step -1, expected a non-negative integer');
    await writer.close();
    expect(fs.readFileSync(writer.path).includes(Buffer.from(golden.records[1], 'base64'))).toBe(true);
    expect(() => writer.scalar('x', 1, 1)).toThrow(ArgumentError);
  });
});
