/** @file The ViT family. */
import type { Family } from '../family.ts';
import { vitConfig } from './config.ts';
import { ViTForImageClassification } from './heads.ts';
import { ViTModel } from './model.ts';

export { type ViTConfig, vitConfig } from './config.ts';
export { ViTForImageClassification } from './heads.ts';
export { ViTModel } from './model.ts';

export const vit: Family = {
  config: vitConfig,
  models: { base: ViTModel, imageClassification: ViTForImageClassification },
};
