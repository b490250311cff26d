/** @file Transforms of images (torchvision's names in camelCase), batches and sounds. */
export { type AudioTransform, addNoise, randomGain, randomShift, randomStretch, trimSilence } from './audio.ts';
export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  type ColorJitterOptions,
  colorJitter,
  grayscale,
  randomGrayscale,
} from './color.ts';
export {
  centerCrop,
  type Padding,
  type PadImageOptions,
  padImage,
  type RandomCropOptions,
  type RandomResizedCropOptions,
  randomCrop,
  randomResizedCrop,
} from './crop.ts';
export { compose, crop, type ImageTransform, type Layout, type LayoutOption, randomApply } from './image.ts';
export { type BatchTransform, cutmix, type MixOptions, mixup, oneHot } from './mix.ts';
export {
  horizontalFlip,
  type RotateOptions,
  randomHorizontalFlip,
  randomRotation,
  randomVerticalFlip,
  rotate,
  verticalFlip,
} from './orient.ts';
export { type Interpolation, type ResizeOptions, resize, resizeImage } from './resize.ts';
export { normalize, type RandomErasingOptions, randomErasing, toFloat } from './value.ts';
