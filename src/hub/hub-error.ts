/** @file What can go wrong with the hub, told in words. */
import { GradusError } from '../ir/errors.ts';

/** The hub refused, could not be reached, or sent something else than it promised. */
export class HubError extends GradusError {
  /** HTTP status, undefined where there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** An answer that is no success. @param what is asked for, such as `the model owner/name`. */
export function refused(status: number, what: string, token: boolean): HubError {
  const remedies: Record<number, string> = {
    401: token
      ? 'the access token is not valid: check HF_TOKEN'
      : 'the name may be wrong, or it is private: set HF_TOKEN to an access token (huggingface.co/settings/tokens)',
    403: 'you have no access: accept its terms on its page of the hub, and set HF_TOKEN to an access token',
    404: 'there is no such name, revision or file: check the spelling',
    429: 'too many requests: wait a while, or set HF_TOKEN',
  };
  return new HubError(`${what}: the hub answers ${status}: ${remedies[status] ?? 'try again later'}`, status);
}

/** The hub could not be reached. */
export function unreachable(what: string, endpoint: string, cause: unknown): HubError {
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : cause;
  return new HubError(
    `${what}: no connection to ${endpoint} (${reason instanceof Error ? reason.message : reason}); give the path of a local folder instead of the name, set HF_ENDPOINT to a mirror, or HF_HUB_OFFLINE=1 to use only what is cached`,
    undefined,
    cause,
  );
}
