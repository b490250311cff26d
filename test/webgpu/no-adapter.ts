/** @file Asks for WebGPU and tells what came of it; the test starts it without a driver. */
import { EngineError, setDevice, tensor } from 'gradus';

setDevice('webgpu');
const error = await tensor([1])
  .add(1)
  .data()
  .catch((e: unknown) => e);
setDevice('cpu');
const [two] = await tensor([1]).add(1).data();
console.log(JSON.stringify({ typed: error instanceof EngineError, message: String(error), two }));
