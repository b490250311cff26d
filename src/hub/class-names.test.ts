/** @file Names of classes in cards of data sets. */
import { describe, expect, it } from 'vitest';
import { classNamesOf } from './class-names.ts';

const features = (indent: string) =>
  [
    'features:',
    '- name: text',
    '  dtype: string',
    '- name: label',
    '  dtype:',
    '    class_label:',
    '      names:',
    "        '0': neg",
    "        '1': 'it''s good: yes'",
    'splits:',
    '- name: train',
    '  num_bytes: 1',
  ]
    .map((line) => indent + line)
    .join('\n');
const names = { label: ['neg', "it's good: yes"] };

describe('classNamesOf', () => {
  it('reads the features of a data set', () => {
    const card = `---\nlicense: mit\ndataset_info:\n  config_name: plain_text\n${features('  ')}\nconfigs:\n- config_name: plain_text\n---\n# Card\n`;
    expect(classNamesOf(card)).toEqual(names);
    expect(classNamesOf(card.replaceAll('\n', '\r\n'), 'plain_text')).toEqual(names);
  });

  it('reads those of one of several', () => {
    const more = features('  ').replace('neg', 'bad');
    const card = `---\ndataset_info:\n- config_name: a\n${features('  ')}\n- config_name: b\n${more}\ntags: []\n---\n`;
    expect(classNamesOf(card, 'a')).toEqual(names);
    expect(classNamesOf(card, 'b')).toEqual({ label: ['bad', "it's good: yes"] });
    expect(classNamesOf(card, 'c')).toEqual({});
    expect(classNamesOf(card)).toEqual({});
  });

  it.each(['# no metadata', '---\nlicense: mit\n---', '---\ndataset_info: none\n---', '---\ndataset_info:\n---', ''])(
    'finds nothing in %j',
    (card) => {
      expect(classNamesOf(card)).toEqual({});
    },
  );

  it('does not take names with gaps', () => {
    const card = `---\ndataset_info:\n${features('  ').replace("'1'", "'2'")}\n---\n`;
    expect(classNamesOf(card)).toEqual({});
  });
});
