/** @file Counted things in places, in English and German: a small language whose translation can be made by rule. */

const teens = [
  ['zero', 'null'],
  ['one', 'ein'],
  ['two', 'zwei'],
  ['three', 'drei'],
  ['four', 'vier'],
  ['five', 'fünf'],
  ['six', 'sechs'],
  ['seven', 'sieben'],
  ['eight', 'acht'],
  ['nine', 'neun'],
  ['ten', 'zehn'],
  ['eleven', 'elf'],
  ['twelve', 'zwölf'],
  ['thirteen', 'dreizehn'],
  ['fourteen', 'vierzehn'],
  ['fifteen', 'fünfzehn'],
  ['sixteen', 'sechzehn'],
  ['seventeen', 'siebzehn'],
  ['eighteen', 'achtzehn'],
  ['nineteen', 'neunzehn'],
] as const;
const tens = [
  ['twenty', 'zwanzig'],
  ['thirty', 'dreißig'],
  ['forty', 'vierzig'],
  ['fifty', 'fünfzig'],
  ['sixty', 'sechzig'],
  ['seventy', 'siebzig'],
  ['eighty', 'achtzig'],
  ['ninety', 'neunzig'],
] as const;
const things = [
  ['dogs', 'Hunde'],
  ['cats', 'Katzen'],
  ['children', 'Kinder'],
  ['birds', 'Vögel'],
  ['women', 'Frauen'],
  ['men', 'Männer'],
  ['balls', 'Bälle'],
  ['books', 'Bücher'],
] as const;
const places = [
  ['in the garden', 'im Garten'],
  ['on the beach', 'am Strand'],
  ['in the street', 'auf der Straße'],
  ['under the tree', 'unter dem Baum'],
  ['near the house', 'beim Haus'],
] as const;

export type Pair = readonly [english: string, german: string];

/** A number from 2 to 99 in words: twenty-three, dreiundzwanzig. */
export function inWords(n: number): Pair {
  if (n < 20) return teens[n];
  const [ten, unit] = [tens[Math.floor(n / 10) - 2], teens[n % 10]];
  return n % 10 ? [`${ten[0]}-${unit[0]}`, `${unit[1]}und${ten[1]}`] : ten;
}

/** `count` different sentences such as "There are three dogs and forty-two cats in the garden." in a seeded order. */
export function countedThings(count: number, seed: number): Pair[] {
  const pairs = new Map<string, string>();
  let state = seed >>> 0;
  // A linear congruential generator (Numerical Recipes), its upper bits.
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  while (pairs.size < count) {
    const [a, b] = [inWords(2 + below(98)), inWords(2 + below(98))];
    const [x, y] = [things[below(things.length)], things[below(things.length)]];
    const place = places[below(places.length)];
    const [english, german] = below(2)
      ? [
          `There are ${a[0]} ${x[0]} and ${b[0]} ${y[0]} ${place[0]}.`,
          `Es sind ${a[1]} ${x[1]} und ${b[1]} ${y[1]} ${place[1]}.`,
        ]
      : [
          `I see ${a[0]} ${x[0]} ${place[0]}, but no ${y[0]}.`,
          `Ich sehe ${a[1]} ${x[1]} ${place[1]}, aber keine ${y[1]}.`,
        ];
    pairs.set(english, german);
  }
  return [...pairs];
}
