import { describe } from 'vitest';
import { type LayerKind, testGoldenLayers } from '../../test/golden/layers.ts';
import { loadGolden } from '../../test/golden/load.ts';
import * as nn from './index.ts';

const { cases } = loadGolden('layers');

const convolution =
  (
    kind:
      | typeof nn.Conv1d
      | typeof nn.Conv2d
      | typeof nn.Conv3d
      | typeof nn.ConvTranspose1d
      | typeof nn.ConvTranspose2d
      | typeof nn.ConvTranspose3d,
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
