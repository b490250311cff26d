/** @file Losses between boxes. */
import { ShapeError } from '../../ir/errors.ts';
import { formatShape, sameShape } from '../../ir/shape.ts';
import { maximum, minimum, type Tensor } from '../../tensor/index.ts';
import { requireTensor } from '../../tensor/lift.ts';
import { type LossOptions, reduced } from './reduction.ts';

/**
 * 1 - GIoU of boxes [..., 4] and those at the same place of `target`, x1, y1, x2, y2 with x1 < x2 and y1 < y2: one minus
 * the overlap (shared area by joint area), plus the share of the smallest box around both that neither covers, so that
 * boxes which do not touch are drawn together (Rezatofighi et al. 2019). As torchvision's generalized_box_iou_loss, not
 * reduced by default.
 * @throws ShapeError unless both have the same shape, ending in 4.
 */
export function generalizedBoxIouLoss(
  boxes: Tensor,
  target: Tensor,
  { reduction = 'none', eps = 1e-7 }: LossOptions & { eps?: number } = {},
): Tensor {
  requireTensor(boxes, 'generalizedBoxIouLoss');
  requireTensor(target, 'generalizedBoxIouLoss', 'the target');
  if (!sameShape(boxes.shape, target.shape) || boxes.shape.at(-1) !== 4)
    throw new ShapeError(
      `generalizedBoxIouLoss: expected two arrays of boxes [..., 4] of the same shape, found ${formatShape(boxes.shape)} and ${formatShape(target.shape)}`,
    );
  const corner = (x: Tensor, from: number) => x.narrow(-1, from, 2);
  const area = (sides: Tensor) => sides.select(-1, 0).mul(sides.select(-1, 1));
  const [low, high, targetLow, targetHigh] = [corner(boxes, 0), corner(boxes, 2), corner(target, 0), corner(target, 2)];
  const shared = area(minimum(high, targetHigh).sub(maximum(low, targetLow)).clamp({ min: 0 }));
  const joint = area(high.sub(low))
    .add(area(targetHigh.sub(targetLow)))
    .sub(shared);
  const around = area(maximum(high, targetHigh).sub(minimum(low, targetLow)));
  const loss = joint
    .sub(around)
    .div(around.add(eps))
    .add(shared.div(joint.add(eps)))
    .neg()
    .add(1);
  return reduced(loss, reduction, 'generalizedBoxIouLoss');
}
