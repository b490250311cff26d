/** @file Resizing and sampling of images. */
export { affineGrid, gridSample } from './resize/grid.ts';
export { resize, resizeGrad } from './resize/resize.ts';
