/** @file TensorBoard's Event messages (tensorflow/core/util/event.proto) and TFRecord framing, in bytes. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { maskedCrc32c } from './crc32c.ts';

export type Summary =
  | { readonly kind: 'scalar'; readonly tag: string; readonly value: number }
  | { readonly kind: 'text'; readonly tag: string; readonly text: string }
  | {
      readonly kind: 'image';
      readonly tag: string;
      readonly png: Uint8Array;
      readonly width: number;
      readonly height: number;
    };

export interface Event {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step?: number;
  /** What the event says: the file's version, a start of the session at this step, or a summary. */
  readonly content: { readonly kind: 'version' } | { readonly kind: 'start' } | Summary;
}

const dtString = 7;
const dataClassTensor = 2;
const sessionStart = 1;
const pngChannels = 4;

/** One event as a TFRecord: length, its checksum, the message, its checksum; all little-endian. */
export function encodeEvent(event: Event): Uint8Array {
  const message = eventMessage(event);
  const out = new Uint8Array(12 + message.length + 4);
  const view = new DataView(out.buffer);
  view.setUint32(0, message.length, true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(message, 12);
  view.setUint32(12 + message.length, maskedCrc32c(message), true);
  return out;
}

function eventMessage({ wallTime, step = 0, content }: Event): Uint8Array {
  const w = new BinaryWriter();
  w.tag(1, WireType.Bit64).double(wallTime);
  if (step !== 0) w.tag(2, WireType.Varint).int64(step);
  if (content.kind === 'version') w.tag(3, WireType.LengthDelimited).string('brain.Event:2');
  else if (content.kind === 'start') nested(w, 7, (log) => log.tag(1, WireType.Varint).int32(sessionStart));
  else nested(w, 5, (summary) => nested(summary, 1, (value) => writeValue(value, content)));
  return w.finish();
}

function writeValue(w: BinaryWriter, summary: Summary): void {
  w.tag(1, WireType.LengthDelimited).string(summary.tag);
  if (summary.kind === 'scalar') w.tag(2, WireType.Bit32).float(summary.value);
  else if (summary.kind === 'image')
    nested(w, 4, (image) => {
      image.tag(1, WireType.Varint).int32(summary.height);
      image.tag(2, WireType.Varint).int32(summary.width);
      image.tag(3, WireType.Varint).int32(pngChannels);
      image.tag(4, WireType.LengthDelimited).bytes(summary.png);
    });
  else {
    nested(w, 8, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(dtString);
      nested(tensor, 2, (shape) => nested(shape, 2, (dim) => dim.tag(1, WireType.Varint).int64(1)));
      tensor.tag(8, WireType.LengthDelimited).string(summary.text);
    });
    nested(w, 9, (metadata) => {
      nested(metadata, 1, (plugin) => plugin.tag(1, WireType.LengthDelimited).string('text'));
      metadata.tag(4, WireType.Varint).int32(dataClassTensor);
    });
  }
}

function nested(w: BinaryWriter, field: number, write: (w: BinaryWriter) => unknown): void {
  w.tag(field, WireType.LengthDelimited).fork();
  write(w);
  w.join();
}
