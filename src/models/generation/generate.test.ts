import { beforeAll, describe, expect, it } from 'vitest';
import { goldenModel } from '../../../test/golden/decoders.ts';
import { manualSeed, type Tensor, tensor } from '../../tensor/index.ts';
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from '../auto.ts';
import { type GenerationOptions, GenerativeModel, type Prompts } from './index.ts';

let gpt2: GenerativeModel;
let t5: GenerativeModel;
beforeAll(async () => {
  gpt2 = await goldenModel('gpt2 writer', AutoModelForCausalLM);
  t5 = await goldenModel('t5 writer', AutoModelForSeq2SeqLM);
});

const numbers = async (ids: Promise<Tensor>) => Array.from(await (await ids).data());

describe('the cache', () => {
  const config = { model_type: 'llama', vocab_size: 30, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2 };
  const json = { ...config, num_attention_heads: 4, num_key_value_heads: 2, initializer_range: 0.6 };

  it('grows without a change of what is written', async () => {
    manualSeed(3);
    const model = AutoModelForCausalLM.fromConfig(json);
    const options = { maxNewTokens: 75, eosTokenId: null };
    const grown = await numbers(model.generate([1, 2, 3], options));
    expect(grown).toEqual(await numbers(model.generate([1, 2, 3], { ...options, useCache: false })));
    expect(new Set(grown).size).toBeGreaterThan(8);
    const answer = { maxNewTokens: 40, eosTokenId: null, numBeams: 2 };
    expect(await numbers(t5.generate([[4, 5], [6]], { ...answer, padTokenId: 0 }))).toEqual(
      await numbers(t5.generate([[4, 5], [6]], { ...answer, padTokenId: 0, useCache: false })),
    );
  });

  it('keeps texts apart that are written at the same time', async () => {
    const prompts = [[3, 4], [5], [6, 7]];
    const alone: number[][] = [];
    for (const prompt of prompts) alone.push(await numbers(gpt2.generate(prompt)));
    expect(await Promise.all(prompts.map((prompt) => numbers(gpt2.generate(prompt))))).toEqual(alone);
  });

  it('sees weights that were trained since', async () => {
    manualSeed(3);
    const model = AutoModelForCausalLM.fromConfig(json);
    const before = await numbers(model.generate([1, 2]));
    const head = model.stateDict()['lm_head.weight'];
    head.setData((await head.data()).map((v) => -v));
    expect(await numbers(model.generate([1, 2]))).not.toEqual(before);
    expect(await numbers(model.generate([1, 2]))).toEqual(await numbers(model.generate([1, 2], { useCache: false })));
  });

  it('leaves a model in training mode there, without dropout in between', async () => {
    const expected = await numbers(gpt2.generate([3, 4]));
    gpt2.train();
    expect(await numbers(gpt2.generate([3, 4]))).toEqual(expected);
    expect(gpt2.modules().every((module) => module.training)).toBe(true);
    gpt2.eval();
  });
});

describe('prompts', () => {
  it('are lists of ids, padded on the side of the model, or tensors', async () => {
    const lists = await numbers(
      gpt2.generate(
        [
          [5, 3],
          [6, 12, 4, 9],
        ],
        { padTokenId: 0 },
      ),
    );
    const inputIds = tensor(
      [
        [0, 0, 5, 3],
        [6, 12, 4, 9],
      ],
      { dtype: 'int64' },
    );
    const attentionMask = tensor(
      [
        [0, 0, 1, 1],
        [1, 1, 1, 1],
      ],
      { dtype: 'int64' },
    );
    expect(await numbers(gpt2.generate(inputIds, { attentionMask }))).toEqual(lists);
    expect(await numbers(gpt2.generate({ inputIds, attentionMask }))).toEqual(lists);
    // Without a mask, padding is where the padding token is.
    expect(await numbers(gpt2.generate(inputIds, { padTokenId: 0 }))).toEqual(lists);
    const one = await numbers(gpt2.generate([5, 3], { maxNewTokens: 5 }));
    expect(one.slice(2)).toEqual(lists.slice(4, 9));
  });
});

describe('stream', () => {
  const collect = async (prompts: Prompts, options: GenerationOptions) => {
    const tokens: number[] = [];
    for await (const token of gpt2.stream(prompts, options)) tokens.push(token);
    return tokens;
  };

  it('hands out the tokens of generate', async () => {
    const greedy = { maxNewTokens: 9 };
    expect(await collect([5, 3, 8], greedy)).toEqual((await numbers(gpt2.generate([5, 3, 8], greedy))).slice(3));
    const sampled = { maxNewTokens: 9, doSample: true, temperature: 2, seed: 4 };
    expect(await collect([5, 3, 8], sampled)).toEqual((await numbers(gpt2.generate([5, 3, 8], sampled))).slice(3));
  });

  it('ends when the loop is left, and the next text begins anew', async () => {
    for await (const token of gpt2.stream([5, 3, 8])) {
      expect(token).toBe(6);
      break;
    }
    expect((await collect([5, 3, 8], {})).slice(0, 3)).toEqual([6, 9, 8]);
  });

  it('stops at a signal with what there is', async () => {
    const stopper = new AbortController();
    const tokens: number[] = [];
    for await (const token of gpt2.stream([5, 3, 8], { stop: stopper.signal })) {
      tokens.push(token);
      if (tokens.length === 4) stopper.abort();
    }
    expect(tokens).toHaveLength(4);
    expect((await gpt2.generate([5, 3, 8], { stop: stopper.signal })).shape).toEqual([1, 4]);
    expect((await gpt2.generate([5, 3, 8], { stop: stopper.signal, numBeams: 2 })).shape).toEqual([1, 4]);
  });

  it('is for one prompt without beams', async () => {
    await expect(collect([[1], [2]], {})).rejects.toThrow('stream: expected one prompt, found 2');
    await expect(collect([1], { numBeams: 2 })).rejects.toThrow('stream: beam search knows its text at the end only');
  });
});

describe('sampling', () => {
  const options = { doSample: true, temperature: 1.5, topK: 0, maxNewTokens: 12, eosTokenId: null };

  it('gives the same text for the same seed', async () => {
    const draw = (seed?: number) =>
      numbers(gpt2.generate([5, 3], { ...options, ...(seed === undefined ? {} : { seed }) }));
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(2)).not.toEqual(await draw(1));
    manualSeed(9);
    const first = await draw();
    expect(await draw()).not.toEqual(first);
    manualSeed(9);
    expect(await draw()).toEqual(first);
  });

  it('works with beams', async () => {
    const beams = { ...options, numBeams: 3, seed: 1 };
    expect(await numbers(gpt2.generate([5, 3], beams))).toEqual(await numbers(gpt2.generate([5, 3], beams)));
  });
});

describe('what cannot be generated', () => {
  const refusals: [string, Prompts, GenerationOptions, string][] = [
    ['no prompts', [], {}, 'expected at least one prompt, found none'],
    ['an empty prompt', [[1], []], {}, 'prompt 1 is empty; begin with a token such as bosTokenId'],
    ['an empty tensor', tensor(new Float64Array(0), { shape: [1, 0], dtype: 'int64' }), {}, 'the prompt is empty'],
    [
      'a tensor of one dimension',
      tensor([1, 2], { dtype: 'int64' }),
      {},
      'must be a tensor [batch, sequence], found shape [2]',
    ],
    ['a token outside of the vocabulary', [1, 19], {}, 'prompt 0 has token 19; the vocabulary has 0 to 18'],
    ['a prompt that fills the positions', Array<number>(40).fill(3), {}, "leaves no room in the model's 40 positions"],
    [
      'more tokens than positions',
      [1, 2, 3],
      { maxNewTokens: 38 },
      "exceed the model's 40 positions; ask for at most 37",
    ],
    ['padding at the end', tensor([[3, 0]], { dtype: 'int64' }), {}, 'prompt 0 ends with padding'],
    ['topP 0', [1], { topP: 0 }, 'topP must be above 0 and at most 1, found 0'],
    ['topP 1.2', [1], { topP: 1.2 }, 'topP must be above 0 and at most 1, found 1.2'],
    ['topK -1', [1], { topK: -1 }, 'topK must be a whole number, 0 for all tokens, found -1'],
    ['temperature 0', [1], { temperature: 0 }, 'temperature must be above 0, found 0'],
    ['no tokens', [1], { maxNewTokens: 0 }, 'maxNewTokens must be a whole number of at least 1, found 0'],
    [
      'a least above the most',
      [1],
      { minNewTokens: 21 },
      'minNewTokens must be a whole number from 0 to maxNewTokens (20)',
    ],
    ['numBeams 1.5', [1], { numBeams: 1.5 }, 'numBeams must be a whole number of at least 1, found 1.5'],
    ['a negative penalty', [1], { repetitionPenalty: -1 }, 'repetitionPenalty must be above 0, found -1'],
    ['an unknown end', [1], { eosTokenId: 99 }, "eosTokenId must be one of the vocabulary's 19 tokens, found 99"],
    ['an unknown padding', [1], { padTokenId: -1 }, "padTokenId must be one of the vocabulary's 19 tokens, found -1"],
  ];
  it.each(refusals)('%s', async (_, prompts, options, message) => {
    await expect(gpt2.generate(prompts, options)).rejects.toThrow(message);
  });

  it('but a config may name an end that its vocabulary lacks', async () => {
    const config = { model_type: 'gpt2', vocab_size: 9, n_embd: 4, n_layer: 1, n_head: 1, pad_token_id: -1 };
    const model = AutoModelForCausalLM.fromConfig(config);
    expect((await model.generate([1, 2], { maxNewTokens: 3 })).shape).toEqual([1, 5]);
  });

  it('a mask of another shape', async () => {
    const ids = tensor([[1, 2]], { dtype: 'int64' });
    const attentionMask = tensor([[1]], { dtype: 'int64' });
    await expect(gpt2.generate(ids, { attentionMask })).rejects.toThrow(
      'attentionMask [1,1] must have the shape of inputIds, [1,2]',
    );
    await expect(gpt2.generate([1, 2], { attentionMask })).rejects.toThrow('attentionMask goes with a tensor of ids');
  });
});

it('T5 and GPT-2 are generative models', () => {
  expect(gpt2).toBeInstanceOf(GenerativeModel);
  expect(t5).toBeInstanceOf(GenerativeModel);
});
