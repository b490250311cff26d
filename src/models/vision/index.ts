/** @file Image networks: torchvision's classifiers with its state-dict keys, U-Net, detection. */
export type { VisionModelOptions } from './blocks.ts';
export * from './detection/index.ts';
export { EfficientNet, type EfficientNetOptions, efficientnetB0 } from './efficientnet.ts';
export { MobileNetV2, type MobileNetV2Options, mobilenetV2 } from './mobilenet-v2.ts';
export { MobileNetV3, type MobileNetV3Options, mobilenetV3Large, mobilenetV3Small } from './mobilenet-v3.ts';
export { ResNet, type ResNetOptions, resnet18, resnet34, resnet50 } from './resnet.ts';
export { UNet, type UNetOptions } from './unet.ts';
export { VGG, type VGGOptions, vgg11, vgg11Bn, vgg13, vgg13Bn, vgg16, vgg16Bn, vgg19, vgg19Bn } from './vgg.ts';
