/** @file What the ViT family is made of, for the Auto classes. */
import type { Family } from '../family.ts';
import { vitConfig } from './config.ts';
import { ViTForImageClassification } from './heads.ts';
import { ViTModel } from './model.ts';

export const vit: Family = {
  config: vitConfig,
  models: { base: ViTModel, imageClassification: ViTForImageClassification },
};
