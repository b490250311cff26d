/** @file Which driver the WebGPU tests run on: Debian's Chromium brings a software one (see vitest.config.ts). */
import { getDevice, setDevice, tensor } from '../../src/index.ts';

/**
 * Whether WebGPU works here; prints why not. Under CI it must.
 * @throws EngineError under CI=true without an adapter.
 */
export async function hasWebGpu(): Promise<boolean> {
  const before = getDevice();
  setDevice('webgpu');
  try {
    await tensor([1]).add(1).data();
    return true;
  } catch (error) {
    if (process.env.CI === 'true') throw error;
    console.log(
      `WebGPU tests left out: ${(error as Error).message}\nOn Debian: apt-get install chromium (SwiftShader)`,
    );
    return false;
  } finally {
    setDevice(before);
  }
}
