/** @file Gradus on a workload: node build/gradus.js <workload> <seconds> [loop]. The default is a compiled step. */
import { readFileSync } from 'node:fs';
import { build } from './networks.ts';
import { measure, parseArguments, residentMb } from './spec.ts';

const { name, seconds, setting } = parseArguments();
const manifest = new URL('../../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
const base = residentMb();
await measure(version, await build(name, setting === 'loop'), seconds, base);
