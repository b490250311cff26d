/** Trains in a process of its own, to be interrupted: `child.ts <out> <epochs> <resume 0|1> <ms per step>`. Prints the final weights. */
import { bits, makeTrainer, trainLoader, validationLoader } from './fixture.ts';

const [out, epochs, resume, pause] = process.argv.slice(2);
const { model, trainer } = makeTrainer({
  out,
  ema: 0.9,
  checkpoint: { every: 3, keep: 2 },
  callbacks: [
    {
      name: 'pause',
      async onStepEnd({ step }) {
        process.stderr.write(`step ${step}\n`);
        await new Promise((resolve) => setTimeout(resolve, Number(pause)));
      },
    },
  ],
});
const result = await trainer.fit(trainLoader(), {
  epochs: Number(epochs),
  validation: validationLoader(),
  resume: resume === '1',
});
console.log(JSON.stringify({ weights: await bits(model), epochs: result.history.length, best: result.bestEpoch }));
