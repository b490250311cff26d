/** @file The error types of Gradus. Every message names the thing, what was expected, what was found, and the remedy. */

import { userSite } from './site.ts';

/** Base class: `catch (e) { if (e instanceof GradusError) ... }`. */
export class GradusError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** A mistake in user code: the message ends with the line from which it came, where there is one. */
class MistakeError extends GradusError {
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    const site = message?.includes('\n    at ') ? undefined : userSite();
    if (site) this.message += `\n    at ${site}`;
  }
}

/** Shapes that do not fit an operator, layer or file. */
export class ShapeError extends MistakeError {}

/** Element types that do not fit an operator, layer or file. */
export class DTypeError extends MistakeError {}

/** An argument outside of its documented range. */
export class ArgumentError extends MistakeError {}

/** A gradient was asked for where none can flow. */
export class GradientError extends GradusError {}

/** A lazy tensor refers to a value that has since been overwritten. */
export class StaleTensorError extends GradusError {}

/** A file or stream is corrupt, truncated, hostile or of an unsupported kind. */
export class FormatError extends GradusError {}

/** An operator, opset version or device feature that Gradus or the engine does not support. */
export class UnsupportedError extends GradusError {}

/** NaN or Infinity appeared where a number was needed. */
export class NumericError extends GradusError {}

/** The engine (ONNX Runtime) refused a program or failed while running it. */
export class EngineError extends GradusError {}

/** A data set failed to deliver a sample; `cause` is what it threw. */
export class DataError extends GradusError {}
