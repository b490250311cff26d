/** @file The command line: commands, options, help. The commands load their code when they run, so that help is quick. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { EvaluateFlags } from './commands/evaluate.ts';
import type { InspectFlags } from './commands/inspect.ts';
import type { PredictFlags } from './commands/predict.ts';
import type { TrainFlags } from './commands/train.ts';
import { imageSize, names, positive, shareOrPath, whole, widths } from './options.ts';
import { hasColor } from './terminal.ts';
import { packageVersion } from './version.ts';

const common = (command: Command): Command =>
  command
    .option('--json', 'print the result as JSON on stdout (what is meant for people goes to stderr)')
    .option('-q, --quiet', 'print results only')
    .option('--debug', 'print the stack of an error');

function dropout(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 0.95))
    throw new InvalidArgumentError('expected a share from 0 to 0.95.');
  return value;
}

/** The names of options that were typed. */
function typed(command: Command): string[] {
  return Object.keys(command.opts()).filter((name) => command.getOptionValueSource(name) === 'cli');
}

function trainCommand(args: readonly string[]): Command {
  const command = new Command('train')
    .summary('train a model on images, a table or texts')
    .description(
      `Trains a model on your data, tests it on samples it has not seen, and keeps all in a folder.

The task is decided by the data unless you name it:
  image-classification     a folder with one folder of images per class (or train/, val/, test/ of such),
                           IDX files (MNIST), CIFAR-10 binary files, NumPy .npz with train_images, train_labels
  tabular-classification   CSV, TSV, JSON lines, Parquet (also .gz); --target names the column to predict
  tabular-regression       the same with a number as target
  table                    one of the two above, decided by the target
  text-classification      CSV, TSV, JSON lines, Parquet with a column of texts and one of classes, or a data set
                           of the Hugging Face hub; fine-tunes the pretrained model that --model names`,
    )
    .argument('[task]', 'what to learn', 'auto')
    .option('-d, --data <path>', 'file or folder to learn from')
    .option('-t, --target <column>', 'table: the column to predict')
    .option('-o, --out <folder>', 'where to keep the run (default: runs/<name of the data>)')
    .option('-e, --epochs <n>', 'passes over the data (default: 10 for images, 100 for tables, 3 for texts)', whole(1))
    .option(
      '-b, --batch-size <n>',
      'samples per step (default: 64 for images, 32 for tables, fewer for small data; 16 for texts)',
      whole(1),
    )
    .option(
      '--lr <rate>',
      'highest learning rate (default: 0.003 for images, 0.002 for tables, 0.00005 for texts)',
      positive(),
    )
    .option('--optimizer <name>', 'adamw, adam, nadam, radam, sgd, rmsprop, adagrad, lion, lamb', 'adamw')
    .option(
      '--schedule <name>',
      'of the learning rate: onecycle, cosine, constant (default: onecycle); for texts linear, cosine, constant',
    )
    .option(
      '--weight-decay <x>',
      'pull of the weights towards 0 (default: 0.01 for adamw and texts)',
      positive({ zero: true }),
    )
    .option('--clip <norm>', 'upper bound of the norm of the gradients (default: 1 for texts)', positive())
    .option(
      '--patience <epochs>',
      'stop when validation has not improved for so long; 0: never (default: 15 for tables)',
      whole(0),
    )
    .option('--balance', 'let all classes weigh the same, however few samples they have')
    .option('--val <share|path>', 'validation data: share of the training data, or a path (default: 0.1)', shareOrPath)
    .option('--test <share|path>', 'test data: share of the training data, or a path (default: 0.1)', shareOrPath)
    .option('--limit <n>', 'use at most n samples of each part, for a quick try', whole(4))
    .option('--seed <n>', 'of everything random: the same seed gives the same model', whole(0), 0)
    .option(
      '--augment [list]',
      'images: random changes, of flip, vflip, crop, rotate, color, erase (bare: what suits most)',
      names,
    )
    .option('--preview', 'images: draw samples as the model sees them, without training')
    .option(
      '--image-size <pixels>',
      'images: side, or height x width (default: their own up to 96, else at most 64)',
      imageSize,
    )
    .option('--ignore <columns>', 'table: columns to leave out, a,b,c', names, [])
    .option('--categorical <columns>', 'table: columns whose numbers are names, a,b,c', names, [])
    .option(
      '--numeric <columns>',
      'table: columns to take as numbers though they look like numbering, a,b,c',
      names,
      [],
    )
    .option(
      '--model <file>',
      'a model of your own: a .ts or .js file whose default export is a Module class, or (info) => Module; for texts a pretrained model: its folder or its name on the Hugging Face hub',
    )
    .option('--train <path>', 'texts: the file to learn from (as --data)')
    .option('--dataset <name>', 'texts: a data set of the Hugging Face hub, such as stanfordnlp/imdb')
    .option('--config <name>', 'texts: one of several data sets of a hub repository')
    .option('--text <column>', 'texts: the column of texts (default: text, sentence, review, ...)')
    .option('--label <column>', 'texts: the column of classes (default: label, class, category, ...)')
    .option('--labels <names>', 'texts: names for the classes 0, 1, ...: negative,positive', names)
    .option('--max-length <tokens>', 'texts: tokens that are read; the rest is cut off (default: 256)', whole(3))
    .option(
      '--warmup <n>',
      'texts: share (below 1) or number of steps in which the rate grows (default: 0.1)',
      positive({ zero: true }),
    )
    .option('--accumulate <n>', 'texts: batches whose gradients are averaged for each step (default: 1)', whole(1))
    .option(
      '--freeze <names>',
      'texts: parameters that are not trained, a,b,c: a name and all below it, or with * (bert.encoder.layer.0.*)',
      names,
    )
    .option('--hidden <widths>', 'table: widths of the hidden layers, such as 64,32', widths)
    .option('--width <n>', 'images: channels of the first block (default: 32)', whole(1))
    .option('--dropout <share>', 'share of activations dropped in training (default: 0.2)', dropout)
    .option('--workers <n>', 'images: threads that decode and augment image files', whole(0), 0)
    .addOption(device())
    .option('--resume', 'go on with the run in --out, with its options; --epochs may be raised')
    .option('--overwrite', 'replace the run in --out')
    .option('--strict', 'make errors of warnings: unreadable images, classes of one sample, rows without target');
  common(command);
  command.addHelpText(
    'after',
    `
Examples:
  gradus train --data pets/                                    # pets/cat/*.jpg, pets/dog/*.jpg
  gradus train --data pets/ --augment --epochs 30 --out runs/pets
  gradus train --data churn.csv --target left
  gradus train tabular-regression --data houses.csv --target price --hidden 128,64
  gradus train --data mnist/ --limit 5000 --epochs 3           # IDX files
  gradus train --data cifar-10-batches-bin/ --model net.ts
  gradus train text-classification --model sentence-transformers/all-MiniLM-L6-v2 --train reviews.csv --test 0.2
  gradus train --resume --out runs/pets                        # after Ctrl-C

Ctrl-C saves a checkpoint and ends with code 130.`,
  );
  return command.action(async (task: string, flags: TrainFlags) => {
    const { train } = await import('./commands/train.ts');
    await train(task, flags, { args, given: typed(command) });
  });
}

const device = () => new Option('--device <name>', 'cpu, webgpu, or another provider of ONNX Runtime').default('cpu');

function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .summary('judge a kept model on data with known answers')
    .description(
      `Judges the model of a run on data with known answers: the test part of its own data, or what --data names.`,
    )
    .argument('<run>', 'folder of the run')
    .option('-d, --data <path>', 'file or folder to judge it on (default: the test part that training held out)')
    .option('--text <column>', 'texts: the column of texts (default: as in training)')
    .option('--label <column>', 'texts: the column of classes (default: as in training)')
    .option('--limit <n>', 'use at most n samples', whole(1))
    .option('--mistakes <n>', 'list the n most confident wrong answers', whole(1))
    .option('--strict', 'make errors of warnings: unreadable images, categories not seen in training')
    .addOption(device());
  common(command).addHelpText(
    'after',
    `
Examples:
  gradus evaluate runs/pets
  gradus evaluate runs/pets --data more-pets/ --mistakes 10
  gradus evaluate runs/churn --data held-out.csv --json
  gradus evaluate runs/imdb --data other.csv --text review --label sentiment`,
  );
  return command.action(async (run: string, flags: EvaluateFlags) => {
    const { evaluate } = await import('./commands/evaluate.ts');
    await evaluate(run, flags);
  });
}

function predictCommand(): Command {
  const command = new Command('predict')
    .summary('ask a kept model about new images, rows or texts')
    .description(
      `Says what the model of a run makes of new inputs: image files or folders of them for a model of images;
CSV, TSV, JSON lines or Parquet files, or rows typed as JSON, for a model of tables;
texts, files of them (tables, or .txt with one per line) or - for stdin, for a model of texts.`,
    )
    .argument('<run>', 'folder of the run')
    .argument('<input...>', 'images, folders, tables, rows as JSON, or texts')
    .option('--text <column>', 'texts: the column of texts in a table (default: text, sentence, review, ...)')
    .option('--top <k>', 'classes to show with their probabilities', whole(1), 3)
    .option('-o, --out <file>', 'write to a .csv or .jsonl file (csv: the rows with the prediction added)')
    .option('--strict', 'make errors of warnings: unreadable images, categories not seen in training')
    .addOption(device());
  common(command).addHelpText(
    'after',
    `
Examples:
  gradus predict runs/pets photo.jpg holiday/
  gradus predict runs/churn customers.csv --out answers.csv
  gradus predict runs/churn '{"age": 41, "plan": "basic"}' --json   # one JSON object per line
  gradus predict runs/imdb "A slow start, but the last hour is magnificent."`,
  );
  return command.action(async (run: string, inputs: string[], flags: PredictFlags) => {
    const { predict } = await import('./commands/predict.ts');
    await predict(run, inputs, flags);
  });
}

/** Options that can be given several times. */
const listed = (value: string, before: string[] = []) => [...before, value];

function inspectCommand(): Command {
  const command = new Command('inspect')
    .summary('look into a model file, a run or data')
    .description(
      `Says what is in a file or folder:
  .onnx          operators, inputs and outputs, parameters, what can be trained and what not, and why
  .safetensors   tensors with dtypes and shapes (nothing is loaded)
  a run          task, data, model, options, results
  data           classes and their samples, or columns and what they hold`,
    )
    .argument('<path>', 'file or folder')
    .option('--all', 'leave nothing out of long lists')
    .option('--fixed <name=value>', '.onnx: an input that keeps one value, which decides branches (If)', listed);
  common(command).addHelpText(
    'after',
    `
Examples:
  gradus inspect runs/pets
  gradus inspect runs/pets/model.onnx
  gradus inspect silero_vad.onnx --fixed sr=16000
  gradus inspect churn.csv`,
  );
  return command.action(async (path: string, flags: InspectFlags) => {
    const { inspect } = await import('./commands/inspect.ts');
    await inspect(path, flags);
  });
}

/** The whole command line. */
export function buildProgram(args: readonly string[] = []): Command {
  const program = new Command('gradus')
    .description('Deep learning for TypeScript: train, test, use and look into neural networks.')
    .version(packageVersion(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for the options)')
    .configureOutput({
      getOutHasColors: () => hasColor(process.stdout),
      getErrHasColors: () => hasColor(process.stderr),
    })
    .addHelpText(
      'after',
      `
Examples:
  gradus train --data pets/                     # one folder of images per class
  gradus train --data churn.csv --target left   # a table
  gradus evaluate runs/pets --data more-pets/
  gradus predict runs/pets photo.jpg
  gradus inspect runs/pets/model.onnx

Each command has its own help: gradus train --help`,
    );
  for (const command of [trainCommand(args), evaluateCommand(), predictCommand(), inspectCommand()])
    program.addCommand(command);
  for (const command of [program, ...program.commands]) command.exitOverride();
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}
