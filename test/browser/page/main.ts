/** @file The page: trains on the device that the address names and leaves the losses where the test finds them. */
import { setDevice } from 'gradus';
import { train } from '../train.ts';

declare global {
  var losses: number[] | undefined;
  var failure: string | undefined;
}

const device = new URLSearchParams(location.search).get('device');
if (device) setDevice(device);
train(20).then(
  (losses) => {
    globalThis.losses = losses;
  },
  (error: unknown) => {
    globalThis.failure = String(error instanceof Error ? error.stack : error);
  },
);
