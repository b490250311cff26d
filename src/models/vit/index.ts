/** @file The ViT family. */
export { type ViTConfig, vitConfig } from './config.ts';
export { ViTForImageClassification } from './heads.ts';
export { ViTModel } from './model.ts';
