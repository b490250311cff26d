/** @file The data set that worker threads open: image files, decoded and augmented there. */
import { type Dataset, imageFolder } from '../../data/node.ts';
import { type Augmentation, augmenter } from './augment.ts';
import { normalized, toPixels } from './pixels.ts';
import type { ImageCode, Sample } from './prepared.ts';

/** What a worker is told. */
export interface WorkerImages {
  readonly folder: string;
  readonly classes: readonly string[];
  readonly indices: number[];
  readonly code: ImageCode;
  readonly names: readonly Augmentation[];
}

/** Training images of a folder. */
export default async function open({ folder, classes, indices, code, names }: WorkerImages): Promise<Dataset<Sample>> {
  const { channels, height, width } = code;
  const change = augmenter(names, height, width);
  const images = await imageFolder(folder, { classes });
  return images.subset(indices).map(({ x, y }, random) => {
    const data = toPixels(x, 'hwc', code);
    const image = { data, shape: [channels, height, width], dtype: 'uint8' } as const;
    return { x: normalized(names.length ? change(image, random).data : data, code), y };
  });
}
