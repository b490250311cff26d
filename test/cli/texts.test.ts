/** @file Texts from the command line: fine-tuning a tiny BERT, evaluation, prediction, exact resume, bad input. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Terminal } from '../../src/cli/terminal.ts';
import { prepareTexts } from '../../src/cli/text/data.ts';
import { loadSafetensors } from '../../src/hub/index.ts';
import { gradus, here, temporary } from './run.ts';
import { banking, writeTinyBert } from './tiny-bert.ts';

const folder = await temporary();
const bert = join(folder, 'bert');
const run = join(folder, 'run');
const train = (...args: string[]) =>
  here(['train', 'text-classification', '--model', bert, '--max-length', '32', '--lr', '3e-3', '--seed', '1', ...args]);
const fineTuned = ['--train', banking.train, '--test', banking.test, '--label', 'intent', '--epochs', '6'];

beforeAll(async () => await writeTinyBert(bert));

describe('fine-tuning', () => {
  it('tells what the data are, trains, tests and keeps a model folder', async () => {
    const { code, stdout, stderr } = await train(...fineTuned, '--val', '0', '--out', run);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("280 rows; texts in column 'text', 4 classes in 'intent'");
    expect(stdout).toContain('280 texts to train on, 0 for validation, 100 for the test');
    expect(stdout).toMatch(/exchange_rate +70 +0 +25/);
    expect(stdout).toMatch(/tokens per text: median \d+, 95 of 100 up to \d+, longest \d+; \d+\.\d % are cut at 32/);
    expect(stdout).toContain('new weights, trained from nothing: classifier.weight, classifier.bias');
    const { results, classes } = JSON.parse(await readFile(join(run, 'run.json'), 'utf8'));
    expect(classes).toEqual(['age_limit', 'exchange_rate', 'lost_or_stolen_card', 'passcode_forgotten']);
    expect(results.test.accuracy).toBeGreaterThan(0.85);
    expect(results.test.f1_macro).toBeGreaterThan(0.85);
    expect(results.perClass.age_limit.support).toBe(25);
    const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ phase: 'test', accuracy: results.test.accuracy });
    expect(await readdir(run)).toEqual(
      expect.arrayContaining([
        'config.json',
        'model.safetensors',
        'tokenizer.json',
        'tokenizer_config.json',
        'report.svg',
      ]),
    );
    const config = JSON.parse(await readFile(join(run, 'config.json'), 'utf8'));
    expect(config).toMatchObject({
      architectures: ['BertForSequenceClassification'],
      id2label: { 0: 'age_limit', 3: 'passcode_forgotten' },
    });
    const tokenizer = JSON.parse(await readFile(join(run, 'tokenizer_config.json'), 'utf8'));
    expect(tokenizer.model_max_length).toBe(32);
  });

  it('keeps the ONNX file under two names, and any batch and length runs', async () => {
    const [one, two] = await Promise.all([join(run, 'model.onnx'), join(run, 'onnx/model.onnx')].map((p) => stat(p)));
    expect(one.ino).toBe(two.ino);
    const session = await ort.InferenceSession.create(join(run, 'model.onnx'));
    expect(session.inputNames).toEqual(['input_ids', 'attention_mask', 'token_type_ids']);
    expect(session.outputNames).toEqual(['logits']);
    for (const [batch, length] of [
      [1, 5],
      [3, 17],
    ]) {
      const filled = (value: bigint) =>
        new ort.Tensor('int64', new BigInt64Array(batch * length).fill(value), [batch, length]);
      const feeds = { input_ids: filled(7n), attention_mask: filled(1n), token_type_ids: filled(0n) };
      expect((await session.run(feeds)).logits.dims).toEqual([batch, 4]);
    }
    await session.release();
  });

  it('evaluates the run on its own test texts and on others', async () => {
    const { results } = JSON.parse(await readFile(join(run, 'run.json'), 'utf8'));
    const own = await here(['evaluate', run, '--json', '-q']);
    expect(JSON.parse(own.stdout).metrics.accuracy).toBe(results.test.accuracy);
    const other = join(folder, 'other.csv');
    const rows = [
      'question,what,id',
      'I forgot my code,passcode_forgotten,1',
      '"Someone stole my card, help",2,2',
      ',0,3',
    ];
    await writeFile(other, rows.join('\n'));
    const args = ['evaluate', run, '--data', other, '--text', 'question', '--label', 'what'];
    const { code, stdout } = await here([...args, '--mistakes', '3']);
    expect(code).toBe(0);
    expect(stdout).toContain(`${run} on ${other} (3 texts)`);
    const without = await here(['evaluate', run, '--data', other, '--label', 'what']);
    expect(without.stderr).toContain('which column of');
    expect(without.stderr).toContain('Say --text <column>; its columns are: question, what, id');
  });

  it('predicts texts, lines of files and tables', async () => {
    const typed = await here(['predict', run, 'I forgot my code', 'how old must my son be', '', '--json']);
    const answers = typed.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers.map(({ prediction }) => prediction).slice(0, 2)).toEqual(['passcode_forgotten', 'age_limit']);
    expect(answers[2].input).toBe('');
    expect(answers[0].top[0]).toEqual({ class: 'passcode_forgotten', probability: expect.closeTo(1, 0) });
    await writeFile(join(folder, 'lines.txt'), 'I forgot my code\n\nmy card was stolen\n');
    const lines = await here(['predict', run, join(folder, 'lines.txt'), '--top', '1']);
    expect(lines.stdout).toMatch(
      /I forgot my code +passcode_forgotten +\d\.\d{3}\n +my card was stolen +lost_or_stolen_card/,
    );
    const out = join(folder, 'answers.csv');
    await here(['predict', run, banking.test, '--out', out]);
    expect((await readFile(out, 'utf8')).split('\n')[0]).toBe('text,intent,prediction,probability');
    const inspected = await here(['inspect', run]);
    expect(inspected.stdout).toMatch(/classes +age_limit, exchange_rate/);
  });

  it('takes model folders that are no runs', async () => {
    const plain = join(folder, 'plain');
    await mkdir(plain);
    for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
      await copyFile(join(run, file), join(plain, file));
    const { stdout } = await here(['predict', plain, 'I forgot my code', '--json']);
    expect(JSON.parse(stdout).prediction).toBe('passcode_forgotten');
    const evaluated = await here(['evaluate', plain]);
    expect(evaluated.stderr).toContain('was not trained by gradus train; say --data');
  });

  it('reads JSON lines and Parquet, freezes, accumulates, weighs classes, splits by class', async () => {
    const [head, ...rows] = (await readFile(banking.train, 'utf8')).trim().split('\n').slice(0, 81);
    expect(head).toBe('text,intent');
    const cut = rows.map((row) => [row.slice(0, row.lastIndexOf(',')), row.slice(row.lastIndexOf(',') + 1)] as const);
    const numbers = cut.map(([review, intent]) => ({ review, label: intent === 'age_limit' ? 1 : 0 }));
    const jsonl = join(folder, 'some.jsonl.gz');
    await writeFile(jsonl, gzipSync(numbers.map((row) => JSON.stringify(row)).join('\n')));
    const parquet = join(folder, 'some.parquet');
    const columnData = [
      { name: 'review', data: numbers.map(({ review }) => review) },
      { name: 'label', data: numbers.map(({ label }) => BigInt(label)) },
    ];
    await writeFile(parquet, new Uint8Array(parquetWriteBuffer({ columnData })));
    const common = ['--epochs', '1', '--labels', 'other,age', '--balance', '--accumulate', '2', '--test', '0.25', '-q'];
    const freeze = ['--freeze', 'bert.embeddings,bert.encoder.layer.0.*', '--json'];
    const results = [];
    for (const [i, file] of [jsonl, parquet].entries()) {
      const out = join(folder, `split-${i}`);
      const { code, stdout, stderr } = await train('--data', file, ...common, ...freeze, '--out', out);
      expect(code, stderr).toBe(0);
      results.push(JSON.parse(stdout));
    }
    expect(results[0]).toMatchObject({ classes: ['other', 'age'], texts: { train: 52, val: 8, test: 20 } });
    expect(results[1].metrics).toEqual(results[0].metrics);
    const [before, after] = [
      await loadSafetensors(join(bert, 'model.safetensors')),
      await loadSafetensors(join(folder, 'split-0/model.safetensors')),
    ];
    const name = 'encoder.layer.0.output.dense.weight';
    expect(after.tensors.get(`bert.${name}`)?.data).toEqual(before.tensors.get(name)?.data);
    expect(after.tensors.get('bert.pooler.dense.weight')?.data).not.toEqual(
      before.tensors.get('pooler.dense.weight')?.data,
    );
  });

  it('goes on after Ctrl-C to the weights of a run that was not interrupted', async () => {
    const args = [
      'train',
      'text-classification',
      '--model',
      bert,
      '--train',
      banking.train,
      '--label',
      'intent',
      '--max-length',
      '32',
      '--lr',
      '1e-3',
      '--val',
      '0.1',
      '--test',
      '0',
    ];
    const weights = async (path: string) =>
      createHash('sha256')
        .update(await readFile(join(path, 'model.safetensors')))
        .digest('hex');
    const [whole, parted] = [join(folder, 'whole'), join(folder, 'parted')];
    expect((await here([...args, '--epochs', '3', '--out', whole])).code).toBe(0);
    const stopped = await gradus([...args, '--epochs', '3', '--out', parted], { interruptAt: 'epoch 1/3' });
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain(`npx gradus train --resume --out ${parted}`);
    const refused = await here(['train', '--resume', '--out', parted, '--lr', '1']);
    expect(refused.stderr).toContain('--lr cannot be changed: --resume goes on with the options of the run');
    const early = await here(['predict', parted, 'x']);
    expect(early.stderr).toContain('its training has not finished');
    const resumed = await here(['train', '--resume', '--out', parted]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(await weights(parted)).toBe(await weights(whole));
    expect((await here(['train', '--resume', '--out', parted])).stderr).toContain('has finished its training');
  });
});

describe('data sets of the hub', () => {
  it('are downloaded by name, with their own parts; answers withheld are no test', async () => {
    const table = (start: number, count: number, label: (i: number) => number, isNamed = false) => {
      const rows = Array.from({ length: count }, (_, i) => start + i);
      const columnData = [
        { name: 'sentence', data: rows.map((i) => (i % 2 ? 'my card was stolen' : 'what is the rate')) },
        { name: 'label', data: rows.map((i) => BigInt(label(i))) },
      ];
      // As Python's datasets notes the features.
      const classLabel = { names: ['rate', 'card'], _type: 'ClassLabel' };
      const features = { sentence: { dtype: 'string', _type: 'Value' }, label: classLabel };
      const kvMetadata = isNamed ? [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }] : [];
      return Buffer.from(parquetWriteBuffer({ columnData, kvMetadata }));
    };
    const files: Record<string, Buffer> = {
      'plain/train-00000-of-00002.parquet': table(0, 20, (i) => i % 2),
      'plain/train-00001-of-00002.parquet': table(20, 20, (i) => i % 2),
      'plain/validation-00000-of-00001.parquet': table(0, 10, (i) => i % 2),
      'plain/test-00000-of-00001.parquet': table(0, 10, () => -1),
      'named/train-00000-of-00001.parquet': table(0, 40, (i) => i % 2, true),
      'README.md': Buffer.from(
        "---\ndataset_info:\n- config_name: plain\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': fee\n          '1': theft\n---\n",
      ),
    };
    const hash = (data: Buffer) => createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
    const commit = 'b'.repeat(40);
    const server = createServer((request, response) => {
      const url = decodeURIComponent(request.url ?? '');
      const json = (value: unknown) =>
        response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
      const listed = Object.entries(files).map(([path, data]) => ({
        type: 'file',
        path,
        size: data.length,
        oid: hash(data),
      }));
      if (url.includes('/revision/')) json({ sha: commit });
      else if (url.includes('/tree/')) json(listed);
      else response.end(files[url.slice(url.indexOf(commit) + 41)]);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    vi.stubEnv('HF_ENDPOINT', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('HF_HUB_CACHE', join(folder, 'hub'));
    try {
      const out = join(folder, 'from-hub');
      const data = ['--dataset', 'someone/questions', '--config', 'plain', '--labels', 'rate,card'];
      const args = [...data, '--epochs', '1', '--json', '-q'];
      const { code, stdout, stderr } = await train(...args, '--out', out);
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ part: 'validation', texts: { train: 40, val: 10, test: 0 } });
      // --labels goes before; else the files themselves, else the card name the classes.
      const { id2label } = JSON.parse(await readFile(join(out, 'config.json'), 'utf8'));
      expect(id2label).toEqual({ 0: 'rate', 1: 'card' });
      const columns = { text: undefined, label: undefined, val: undefined, test: undefined };
      const rules = { strict: false, seed: 1, limit: undefined, labels: undefined };
      const request = { ...columns, ...rules, path: 'someone/questions', hub: true };
      const quiet = new Terminal({ quiet: true });
      const noted = await prepareTexts({ ...request, config: 'named' }, quiet);
      expect(noted.classes).toEqual(['rate', 'card']);
      expect((await prepareTexts({ ...request, config: 'plain' }, quiet)).classes).toEqual(['fee', 'theft']);
      const local = { hub: false, config: undefined, labels: ['a', 'b'] };
      const file = join(folder, 'named.parquet');
      await writeFile(file, files['named/train-00000-of-00001.parquet']);
      expect((await prepareTexts({ ...request, ...local, path: file }, quiet)).classes).toEqual(['a', 'b']);
      const own = { ...local, path: file, labels: undefined };
      expect((await prepareTexts({ ...request, ...own }, quiet)).classes).toEqual(['rate', 'card']);
      const wrong = await train(...args, '--config', 'other', '--out', join(folder, 'never'));
      expect(wrong.stderr).toContain("no config 'other'; it has: named, plain");
    } finally {
      vi.unstubAllEnvs();
      server.close();
    }
  });
});

describe('bad input', () => {
  const file = async (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  };
  const fails = async (...args: string[]) => {
    const { code, stderr } = await train(...args, '--out', join(folder, 'never'));
    expect(code).toBe(1);
    return stderr.trim();
  };

  it('of data', async () => {
    const strange = await file('strange.csv', 'a,b\nx,1\ny,2\n');
    expect(await fails('--train', strange, '--text', 'a')).toContain(
      'strange.csv holds the labels? Say --label <column>; its columns are: a, b',
    );
    expect(await fails('--train', banking.train, '--label', 'intnet')).toMatch(
      /has no column 'intnet'\. Did you mean 'intent'\? Its columns are: text, intent/,
    );
    const latin = await file(
      'latin.csv',
      Uint8Array.of(...Buffer.from('text,label\ncaf'), 0xe9, ...Buffer.from(',a\n')),
    );
    const notUtf8 = await fails('--train', latin);
    expect(notUtf8).toMatch(/latin\.csv is not UTF-8 text; convert it, for instance with iconv/);
    expect(notUtf8).not.toContain('encoding:');
    const one = await file('one.csv', 'text,label\na,x\nb,x\n');
    expect(await fails('--train', one)).toContain("'label' has the same value 'x' in every row");
    const numbers = await file('numbers.csv', 'text,label\na,1.5\nb,2\n');
    expect(await fails('--train', numbers)).toContain("'label' holds numbers such as 1.5");
    const test = await file('test.csv', 'text,label\na,x\nb,z\n');
    const pair = await file('pair.csv', 'text,label\na,x\nb,y\nc,x\nd,y\n');
    expect(await fails('--train', pair, '--test', test)).toContain(
      "test.csv, row 2: label 'z' is none of the model's (x, y)",
    );
    expect(await fails('--train', pair, '--labels', 'only')).toContain('--labels only does not name what');
    expect(await fails('--train', pair, '--data', pair)).toContain('--data and --train both name the data');
    expect(await fails()).toContain('which texts? Say --train <file>');
    const list = await file('list.jsonl', '{"text": ["a"], "label": 1}\n');
    expect(await fails('--train', list)).toContain("list.jsonl, row 1: column 'text' holds a list, not a text");
  });

  it('of options and models', async () => {
    const ours = ['--train', banking.train, '--label', 'intent'];
    expect(await fails(...ours, '--hidden', '64')).toContain('error: --hidden cannot be used with text-classification');
    expect(await fails(...ours, '--max-length', '65')).toContain(`--max-length 65: ${bert} reads at most 64 tokens`);
    expect(await fails(...ours, '--freeze', 'encoder.nothing')).toContain('no parameter matches encoder.nothing');
    expect(await fails(...ours, '--freeze', '*')).toContain('--freeze * leaves no parameter to train');
    expect(await fails(...ours, '--schedule', 'onecycle')).toContain("unknown schedule 'onecycle'");
    const table = await here(['train', '--data', banking.train, '--target', 'intent', '--max-length', '9']);
    expect(table.stderr).toContain('--max-length is for text-classification');
    const model = async (name: string, edit: (path: string) => Promise<void>) => {
      const path = join(folder, name);
      await writeTinyBert(path);
      await edit(path);
      return (
        await here([
          'train',
          'text-classification',
          '--model',
          path,
          ...ours,
          '--max-length',
          '32',
          '--out',
          join(folder, 'never'),
        ])
      ).stderr;
    };
    const bare = join(folder, 'bare');
    await mkdir(bare);
    for (const name of ['config.json', 'model.safetensors']) await copyFile(join(bert, name), join(bare, name));
    const noTokenizer = await here(['train', 'text-classification', '--model', bare, ...ours]);
    expect(noTokenizer.stderr).toMatch(/bare.*tokenizer\.json/);
    const config = async (path: string, change: object) => {
      const json = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));
      await writeFile(join(path, 'config.json'), JSON.stringify({ ...json, ...change }));
    };
    expect(await model('unknown', (path) => config(path, { model_type: 'mamba' }))).toContain(
      "no model family 'mamba'",
    );
    const larger = async (path: string) => {
      await writeFile(join(path, 'vocab.txt'), `${await readFile(join(path, 'vocab.txt'), 'utf8')}superfluous\n`);
    };
    expect(await model('larger', larger)).toContain('they do not belong together');
    expect(
      (await here(['train', 'text-classification', '--model', join(folder, 'nowhere'), ...ours])).stderr,
    ).toContain('nowhere');
  });

  it('that is odd but can be learnt: one text of a class, empty texts, rows without a label, 10 MB', async () => {
    const rows = (await readFile(banking.train, 'utf8')).trim().split('\n').slice(0, 41);
    const long = `${'very long '.repeat(1_050_000)},age_limit`;
    const odd = await file('odd.csv', [...rows, 'lonely,other', ',age_limit', 'no label,', long].join('\n'));
    const args = ['--train', odd, '--label', 'intent', '--epochs', '1', '--test', '0.2', '--val', '0'];
    const { code, stderr, stdout } = await train(...args, '--out', join(folder, 'odd'));
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("1 row without a value in the label column 'intent' is left out");
    expect(stderr).toContain("1 row with an empty text in column 'text' is left out");
    expect(stderr).toContain('class other: only one text to train on');
    expect(stdout).toMatch(/42 texts|33 texts|34 texts/);
    expect(await fails(...args, '--strict')).toContain("without a value in the label column 'intent'");
  });
});
