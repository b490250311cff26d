/** @file Operators on regions and deformed grids, and the determinant: types only, no gradient yet. */
import { ShapeError } from '../ir/errors.ts';
import type { Shape } from '../ir/shape.ts';
import { formatShape } from '../ir/shape.ts';
import { convGeometry } from './conv/geometry.ts';
import { defineOp, requireFloat, requireRank, type } from './define.ts';
import { numberAttr } from './unary.ts';

/** Regions [n, 4] of images [batch, channels, height, width], resampled to one size: [n, channels, output_height, output_width]. */
export const roiAlign = defineOp('RoiAlign', {
  infer: ([x, rois, batch], attrs) => {
    requireRank(x, 4);
    requireRank(rois, 2, 'the regions');
    requireRank(batch, 1, 'the batch indices');
    const [height, width] = [numberAttr(attrs, 'output_height', 1), numberAttr(attrs, 'output_width', 1)];
    return type(requireFloat(x), [rois.shape[0], x.shape[1], height, width]);
  },
  gradient: 'unsupported',
});

/** Largest elements of cells of regions [n, 5]: [n, channels, ...pooled_shape]. */
export const maxRoiPool = defineOp('MaxRoiPool', {
  infer: ([x, rois], attrs) => {
    requireRank(x, 4);
    requireRank(rois, 2, 'the regions');
    return type(requireFloat(x), [rois.shape[0], x.shape[1], ...(attrs.pooled_shape as Shape)]);
  },
  gradient: 'unsupported',
});

/** Convolution that samples at learned offsets (Dai et al. 2017). */
export const deformConv = defineOp('DeformConv', {
  infer: ([x, weight], attrs) => {
    requireRank(x, 4);
    const { output } = convGeometry(x.shape, weight.shape, { ...attrs, offset_group: undefined });
    return type(requireFloat(x), [x.shape[0], weight.shape[0], ...output]);
  },
  gradient: 'unsupported',
});

/** Determinants of the square matrices in the last two axes. */
export const det = defineOp('Det', {
  infer: ([x]) => {
    if (x.rank < 2 || x.shape[x.rank - 1] !== x.shape[x.rank - 2])
      throw new ShapeError(`determinants are of square matrices, found shape ${formatShape(x.shape)}`);
    return type(requireFloat(x), x.shape.slice(0, -2));
  },
  gradient: 'unsupported',
});
