/** @file What a class of tokenizers of transformers takes for granted where a folder's files do not say it. */
import type { Json } from './json.ts';

/** Kinds of vocabulary files that tokenizers are made of. */
export type VocabularyKind = 'bert' | 'roberta' | 'gpt2';

interface Kind {
  /** Classes in tokenizer_config.json. */
  readonly classes: RegExp;
  /** Model types of config.json, with the class that transformers then takes. */
  readonly types: Readonly<Record<string, string>>;
  readonly tokens: Readonly<Record<string, string>>;
}

const kinds: Readonly<Record<VocabularyKind, Kind>> = {
  bert: {
    classes: /^(Bert|DistilBert|Electra|MobileBert)Tokenizer(Fast)?$/,
    types: {
      bert: 'BertTokenizer',
      distilbert: 'DistilBertTokenizer',
      electra: 'ElectraTokenizer',
      mobilebert: 'MobileBertTokenizer',
    },
    tokens: { unk_token: '[UNK]', sep_token: '[SEP]', pad_token: '[PAD]', cls_token: '[CLS]', mask_token: '[MASK]' },
  },
  roberta: {
    classes: /^(Roberta|Bart|Longformer|LED)Tokenizer(Fast)?$/,
    types: {
      roberta: 'RobertaTokenizer',
      bart: 'BartTokenizer',
      longformer: 'LongformerTokenizer',
      led: 'LEDTokenizer',
    },
    tokens: {
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      sep_token: '</s>',
      pad_token: '<pad>',
      cls_token: '<s>',
      mask_token: '<mask>',
    },
  },
  gpt2: {
    classes: /^GPT2Tokenizer(Fast)?$/,
    types: { gpt2: 'GPT2Tokenizer', gpt_neo: 'GPT2Tokenizer', gptj: 'GPT2Tokenizer' },
    tokens: { bos_token: '<|endoftext|>', eos_token: '<|endoftext|>', unk_token: '<|endoftext|>' },
  },
};

const all = Object.keys(kinds) as VocabularyKind[];

/** The kind and class by the class of tokenizer_config.json, else by the model type of config.json. */
export function kindOf(
  config: Readonly<Record<string, Json>>,
  modelType: string | undefined,
): { readonly kind: VocabularyKind; readonly name: string } | undefined {
  const named = config.tokenizer_class;
  if (typeof named === 'string') {
    const kind = all.find((k) => kinds[k].classes.test(named));
    return kind && { kind, name: named };
  }
  const kind = all.find((k) => modelType !== undefined && Object.hasOwn(kinds[k].types, modelType));
  return kind && { kind, name: kinds[kind].types[modelType ?? ''] };
}

/** Special tokens by role that a kind has where neither file says otherwise. */
export function defaultTokens(
  kind: VocabularyKind,
  config: Readonly<Record<string, Json>>,
  map: Readonly<Record<string, Json>>,
): Record<string, string> {
  const unsaid = Object.entries(kinds[kind].tokens).filter(
    ([role]) => config[role] === undefined && map[role] === undefined,
  );
  return Object.fromEntries(unsaid);
}
