import type { Clock } from './clock.js';
import { NetworkError, PortalProblem, UnexpectedAnswer } from './errors.js';
import type { Session } from './types.js';

/** How a session is watched. */
export interface WatchOptions {
  readonly signal?: AbortSignal;
  /** Called with the session as it is first seen, and each time it is another. */
  readonly onChange?: (session: Session) => void;
  /** Called when the portal stops answering, and when it answers again. */
  readonly onConnection?: (state: 'lost' | 'back') => void;
}

/** A session and the tag of that very state (RFC 9110, section 8.8.3). */
export interface Tagged {
  readonly session: Session;
  readonly etag: string | undefined;
}

/** Seconds between two tries while the portal does not answer: doubled each time, up to the last. */
const FIRST_RETRY = 2;
const LAST_RETRY = 30;

/** Tells whether a session will not change any more by itself. */
export function isFinal(session: Session): boolean {
  return session.status !== 'pending' && session.status !== 'paid';
}

/**
 * Asks again and again until the session is final, as often as the portal wants (`poll_after`), and goes on
 * through outages: a payment may be on its way. Ends early only by the signal or a refusal that stays.
 *
 * @param ask fetches the session; given a tag, it may answer `undefined` for "as before"
 */
export async function watch(
  ask: (etag: string | undefined) => Promise<Tagged | undefined>,
  clock: Clock,
  options: WatchOptions,
): Promise<Session> {
  let known: Tagged | undefined;
  let failures = 0;
  for (;;) {
    let wait: number;
    try {
      const answer = await ask(known?.etag);
      if (failures > 0) {
        options.onConnection?.('back');
      }
      failures = 0;
      known = answer ?? known;
      if (known === undefined) {
        throw new UnexpectedAnswer('Not modified, though nothing was known.', 304);
      }
      if (answer !== undefined) {
        options.onChange?.(answer.session);
      }
      if (isFinal(known.session)) {
        return known.session;
      }
      wait = known.session.pollAfter;
    } catch (error) {
      const retryAfter = retryAfterFailure(error);
      if (failures === 0) {
        options.onConnection?.('lost');
      }
      wait = Math.max(Math.min(FIRST_RETRY * 2 ** failures, LAST_RETRY), retryAfter);
      failures += 1;
    }
    await clock.sleep(wait * 1000, options.signal);
  }
}

/** The seconds a failure asks to wait; throws it when asking again is of no use. */
function retryAfterFailure(error: unknown): number {
  if (error instanceof NetworkError) {
    return 0;
  }
  if (error instanceof PortalProblem && error.isTemporary) {
    return error.retryAfter ?? 0;
  }
  throw error;
}
