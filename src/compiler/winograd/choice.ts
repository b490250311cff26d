/** @file Which way to convolve is the fastest for given shapes: a model of the floating-point operations, fitted to measurements. */
import type { Shape } from '../../ir/shape.ts';
import { DenseWinograd } from './dense.ts';

export type Way = 'direct' | 'dense' | 'tiled 2' | 'tiled 4';

/** From this many channels on, on both sides: below, too little is gained for the larger error. */
const fewestChannels = 64;
/** Up to this many tiles a map may be transformed as a whole. */
const mostTiles = 9;
/** What is less than this many times faster by the model is not worth it. */
const margin = 1.2;
/** Per element: transforming filters, and maps cut into tiles, waits for memory; in the time of so many operations. */
const perFilter = 2000;
const perTiledElement = 700;

/** The way for maps [batch, channels, height, width] and weights [outputs, channels, 3, 3]; the same for both gradients. */
export function fastestWay(maps: Shape, [outputs, channels]: Shape): Way {
  if (Math.min(outputs, channels) < fewestChannels) return 'direct';
  const [batch, , height, width] = maps;
  const [points, pairs, sides] = [batch * height * width, outputs * channels, outputs + channels];
  const tiled = (m: 2 | 4) => {
    const perPoint = (2 * (m + 2) ** 2) / m ** 2;
    const fits = height % m === 0 && width % m === 0;
    return fits ? points * (perPoint * pairs + perTiledElement * sides) : Number.POSITIVE_INFINITY;
  };
  const tiles = DenseWinograd.tiles(height, width);
  const dense = 2 * DenseWinograd.positions(height, width) * tiles * (points * sides + batch * pairs);
  const costs: [Way, number][] = [
    ['dense', tiles <= mostTiles ? dense : Number.POSITIVE_INFINITY],
    ['tiled 4', tiled(4)],
    ['tiled 2', tiled(2)],
  ];
  const [way, cost] = costs.reduce((best, next) => (next[1] < best[1] ? next : best));
  return (cost + perFilter * pairs) * margin < 18 * points * pairs ? way : 'direct';
}
