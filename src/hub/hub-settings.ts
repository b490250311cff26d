/** @file Where the hub is and what may be done with it: options, and the environment variables of Hugging Face. */
import { ArgumentError } from '../ir/errors.ts';
import { nodeFiles } from '../train/node-files.ts';
import type { SourceOptions } from './source.ts';

/** Options with all defaults filled in. */
export interface HubSettings {
  readonly endpoint: string;
  readonly cacheDir: string;
  readonly revision: string;
  readonly offline: boolean;
  readonly token: string | undefined;
  readonly timeout: number;
  readonly progress: boolean | undefined;
}

const isSet = (value: string | undefined) => value !== undefined && /^(1|true|yes|on)$/i.test(value);

/** @throws ArgumentError for options that cannot be. */
export function hubSettings(options: SourceOptions = {}): HubSettings {
  const { path } = nodeFiles();
  const { env } = process;
  const home = process.getBuiltinModule('node:os').homedir();
  const hfHome = env.HF_HOME ?? path.join(env.XDG_CACHE_HOME ?? path.join(home, '.cache'), 'huggingface');
  const { revision = 'main' } = options;
  if (typeof revision !== 'string' || !/^[\w][\w./-]*$/.test(revision) || revision.includes('..'))
    throw new ArgumentError(`revision: expected a branch, tag or commit, found ${JSON.stringify(revision)}`);
  const token = options.token ?? env.HF_TOKEN;
  if (token && !/^hf_\w+$/.test(token))
    throw new ArgumentError('token: an access token of the hub begins with hf_: check HF_TOKEN');
  return {
    endpoint: (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, ''),
    cacheDir: options.cacheDir ?? env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? path.join(hfHome, 'hub'),
    revision,
    offline: options.offline ?? (isSet(env.HF_HUB_OFFLINE) || isSet(env.TRANSFORMERS_OFFLINE)),
    token: token || undefined,
    timeout: options.timeout ?? 30,
    progress: options.progress,
  };
}
