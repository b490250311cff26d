/** @file Modules, layers, losses, initialisation. */
export * from './activation.ts';
export * from './containers.ts';
export * from './conv.ts';
export * from './embedding.ts';
export * as functional from './functional/index.ts';
export * as init from './init.ts';
export * from './linear.ts';
export * from './module.ts';
export * from './pool.ts';
