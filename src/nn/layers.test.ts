import { describe } from 'vitest';
import type { Options } from '../../test/functional/check.ts';
import { type LayerKind, testGoldenLayers } from '../../test/functional/layers.ts';
import { loadGolden } from '../../test/golden/load.ts';
import type { Tensor } from '../tensor/index.ts';
import * as nn from './index.ts';

const { cases } = loadGolden('layers');

const convolution =
  (
    kind: new (inChannels: number, outChannels: number, kernelSize: number, options: object) => nn.Module,
  ): LayerKind['build'] =>
  ({ inChannels, outChannels, kernelSize, ...options }) =>
    new kind(inChannels, outChannels, kernelSize, options);

describe('dense and convolution', () => {
  testGoldenLayers(cases, {
    Linear: { build: ({ inFeatures, outFeatures, ...o }) => new nn.Linear(inFeatures, outFeatures, o) },
    Conv1d: { build: convolution(nn.Conv1d) },
    Conv2d: { build: convolution(nn.Conv2d) },
    Conv3d: { build: convolution(nn.Conv3d) },
    ConvTranspose1d: { build: convolution(nn.ConvTranspose1d) },
    ConvTranspose2d: { build: convolution(nn.ConvTranspose2d) },
    ConvTranspose3d: { build: convolution(nn.ConvTranspose3d) },
    PReLU: { build: (o) => new nn.PReLU(o) },
    Embedding: { build: ({ numEmbeddings, embeddingDim, ...o }) => new nn.Embedding(numEmbeddings, embeddingDim, o) },
  });
});

describe('normalisation', () => {
  const perChannel =
    (kind: new (numFeatures: number, options: nn.BatchNormLayerOptions) => nn.Module): LayerKind['build'] =>
    ({ numFeatures, ...options }) =>
      new kind(numFeatures, options);
  testGoldenLayers(cases, {
    BatchNorm1d: { build: perChannel(nn.BatchNorm1d) },
    BatchNorm2d: { build: perChannel(nn.BatchNorm2d) },
    BatchNorm3d: { build: perChannel(nn.BatchNorm3d) },
    InstanceNorm1d: { build: perChannel(nn.InstanceNorm1d) },
    InstanceNorm2d: { build: perChannel(nn.InstanceNorm2d) },
    LayerNorm: { build: ({ normalizedShape, ...o }) => new nn.LayerNorm(normalizedShape, o) },
    RMSNorm: { build: ({ normalizedShape, ...o }) => new nn.RMSNorm(normalizedShape, o) },
    GroupNorm: { build: ({ numGroups, numChannels, ...o }) => new nn.GroupNorm(numGroups, numChannels, o) },
  });
});

describe('attention and transformers', () => {
  const masksOf = (args: Readonly<Record<string, Tensor>>) =>
    Object.fromEntries(Object.entries(args).filter(([name]) => name.toLowerCase().endsWith('mask')));
  const call: LayerKind['call'] = (layer, args) => {
    const inputs = Object.entries(args).flatMap(([name, t]) => (name.toLowerCase().endsWith('mask') ? [] : [t]));
    return layer.forward(...inputs, masksOf(args));
  };
  const encoder: LayerKind['build'] = ({ dModel, nhead, ...o }) => new nn.TransformerEncoderLayer(dModel, nhead, o);
  const decoder: LayerKind['build'] = ({ dModel, nhead, ...o }) => new nn.TransformerDecoderLayer(dModel, nhead, o);
  const finalNorm = ({ norm, dModel }: Options) => ({ norm: norm ? new nn.LayerNorm(dModel) : null });
  testGoldenLayers(cases, {
    MultiheadAttention: {
      build: ({ embedDim, numHeads, ...o }) => new nn.MultiheadAttention(embedDim, numHeads, o),
      call: (layer, { query, key, value, ...masks }, options) => {
        const [output, weights] = layer.forward(query, key, value, { ...masks, ...options });
        return { output, weights };
      },
    },
    TransformerEncoderLayer: { build: encoder, call },
    TransformerDecoderLayer: { build: decoder, call },
    TransformerEncoder: {
      build: ({ numLayers, norm, ...o }) =>
        new nn.TransformerEncoder(encoder(o) as nn.TransformerEncoderLayer, numLayers, finalNorm({ norm, ...o })),
      call,
    },
    TransformerDecoder: {
      build: ({ numLayers, norm, ...o }) =>
        new nn.TransformerDecoder(decoder(o) as nn.TransformerDecoderLayer, numLayers, finalNorm({ norm, ...o })),
      call,
    },
  });
});
