/** @file Convolutions. */
export { channelSum, conv, convGradInput, convGradWeight, convTranspose } from './conv/conv.ts';
