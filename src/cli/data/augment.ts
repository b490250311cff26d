/** @file Random changes of training images, by name. */
import { transforms } from '../../data/index.ts';
import type { NDArray } from '../../ir/ndarray.ts';
import type { Random } from '../../ir/random.ts';
import { oneOf } from '../problem.ts';

export const augmentations = ['flip', 'vflip', 'crop', 'rotate', 'color', 'erase'] as const;
export type Augmentation = (typeof augmentations)[number];

const layout = 'chw';

function transformOf(name: Augmentation, height: number, width: number): transforms.ImageTransform {
  switch (name) {
    case 'flip':
      return transforms.randomHorizontalFlip(0.5, { layout });
    case 'vflip':
      return transforms.randomVerticalFlip(0.5, { layout });
    case 'crop':
      return transforms.randomCrop([height, width], {
        padding: Math.max(1, Math.round(Math.min(height, width) / 8)),
        mode: 'reflect',
        layout,
      });
    case 'rotate':
      return transforms.randomRotation(10, { interpolation: 'bilinear', layout });
    case 'color':
      return transforms.colorJitter({ brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.05, layout });
    case 'erase':
      return transforms.randomErasing({ p: 0.25, scale: [0.02, 0.2], layout });
  }
}

/** What a bare --augment means: what keeps the meaning of most pictures of this kind. */
export function usualAugmentations(channels: number): Augmentation[] {
  return channels === 1 ? ['crop', 'rotate'] : ['flip', 'crop'];
}

/** @throws UsageError for a name that is not known. */
export function parseAugmentations(names: readonly string[]): Augmentation[] {
  return names.map((name) => oneOf('augmentation', name, augmentations));
}

/** Applies augmentations to uint8 [C, H, W]. */
export function augmenter(
  names: readonly Augmentation[],
  height: number,
  width: number,
): (image: NDArray, random: Random) => NDArray {
  const all = transforms.compose(names.map((name) => transformOf(name, height, width)));
  return (image, random) => all(image, random);
}
