/** @file Help, version, and mistakes in the command line itself. */
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { formatTable, hasColor, printable } from '../../src/cli/terminal.ts';
import { gradus, here } from './run.ts';

describe('help', () => {
  it('names the commands', async () => {
    const { code, stdout } = await gradus(['--help']);
    expect(code).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "Usage: gradus [options] [command]

      Deep learning for TypeScript: train, test, use and look into neural networks.

      Options:
        -V, --version                       output the version number
        -h, --help                          display help for command

      Commands:
        train [options] [task]              train a model on images, a table or texts
        evaluate [options] <run>            judge a kept model on data with known
                                            answers
        predict [options] <run> <input...>  ask a kept model about new images, rows or
                                            texts
        inspect [options] <path>            look into a model file, a run or data
        help [command]                      display help for command

      Examples:
        gradus train --data pets/                     # one folder of images per class
        gradus train --data churn.csv --target left   # a table
        gradus evaluate runs/pets --data more-pets/
        gradus predict runs/pets photo.jpg
        gradus inspect runs/pets/model.onnx

      Each command has its own help: gradus train --help
      "
    `);
  });

  it.each(['train', 'evaluate', 'predict', 'inspect'])('%s explains itself and shows examples', (name) => {
    const command = buildProgram().commands.find((c) => c.name() === name);
    let text = '';
    command?.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 100 });
    command?.outputHelp();
    expect(text).toMatchSnapshot();
  });

  it('tells the version', async () => {
    const { stdout } = await here(['--version']);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('the command line', () => {
  it.each([
    [['trian'], /unknown command 'trian'[\s\S]*Did you mean train\?/],
    [['train', '--epoch', '3'], /unknown option '--epoch'[\s\S]*Did you mean --epochs\?/],
    [
      ['train', '--epochs', 'many'],
      /option '-e, --epochs <n>' argument 'many' is invalid\. expected a whole number of at least 1/,
    ],
    [['train', '--val', '1.5'], /expected a share from 0 up to \(but without\) 1, or a path/],
    [['train', '--image-size', '2'], /expected pixels such as 64/],
    [['predict', 'runs/x'], /missing required argument 'input'/],
  ])('%s', async (args, message) => {
    const { code, stderr } = await here(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });
});

describe('the terminal', () => {
  it('takes colours only where they are wanted', () => {
    const terminal = { isTTY: true, write: () => true };
    expect(hasColor(terminal, {})).toBe(true);
    expect(hasColor(terminal, { NO_COLOR: '1' })).toBe(false);
    expect(hasColor(terminal, { TERM: 'dumb' })).toBe(false);
    expect(hasColor({ write: () => true }, {})).toBe(false);
    expect(hasColor({ write: () => true }, { FORCE_COLOR: '1' })).toBe(true);
  });

  it('sets numbers right, and counts wide characters twice', () => {
    expect(
      formatTable(
        ['name', 'n'],
        [
          ['\u72d7', 3],
          ['cat', 12],
        ],
      ),
    ).toBe('  name   n\n  \u72d7     3\n  cat   12');
  });

  it('lets no control characters through', () => {
    expect(printable('a\u001b[2Jb\n')).toBe('a\ufffd[2Jb\ufffd');
    expect(printable('x'.repeat(9), 4)).toBe('xxx\u2026');
  });
});
