/** @file Object detection: FCOS, its targets and loss, non-maximum suppression. */
export {
  batchedNms,
  boxOverlap,
  type CleanedObjects,
  cleanBoxes,
  type DetectionOptions,
  detectionsOf,
  type NmsOptions,
  nms,
} from './boxes.ts';
export {
  type DetectionLosses,
  type DetectionTargetBatch,
  FCOS,
  type FCOSOptions,
  type FCOSOutput,
  fcosLoss,
} from './fcos.ts';
export { assignTargets, type DetectionTargets } from './targets.ts';
