import {
  DeviceLoginFailed,
  NetworkError,
  PortalProblem,
  SignInRequired,
  UnexpectedAnswer,
} from '../core/errors.js';
import type { Words } from './words.js';

/** How a purchase ended, for the caller; the learner has been told already. */
export type PurchaseOutcome =
  /** Paid, and the license is in SecretStorage. */
  | { readonly kind: 'completed'; readonly licenseId: string }
  /** Nothing to pay; `licenseId` is undefined while the license is being made. */
  | { readonly kind: 'already_owned'; readonly licenseId: string | undefined }
  | { readonly kind: 'cancelled' | 'expired' | 'failed' | 'refunded' | 'revoked' }
  /** The learner stopped waiting, and it is not certain that the order was cancelled. */
  | { readonly kind: 'left_open' }
  | { readonly kind: FailureKind };

/** What kept a purchase (or another call) from going on. */
export type FailureKind =
  | 'sign_in_cancelled'
  | 'sign_in_denied'
  | 'sign_in_expired'
  | 'sign_in_ended'
  | 'offline'
  | 'unavailable'
  | 'too_many'
  | 'strange_answer'
  | 'refused';

/** The learner closed the question for signing in, or stopped waiting for it. */
export class SignInCancelled extends Error {}

/** The learner stopped waiting for a payment. */
export class StoppedWaiting extends Error {}

/** A failure in the learner's words; `text` is empty where there is nothing to say. */
export interface Explanation {
  readonly kind: FailureKind;
  readonly text: string;
  /** Whether doing the same again may help. */
  readonly isRetryable: boolean;
}

/** Explains what was thrown; `undefined` when it is a fault of the program and not of the outside. */
export function explain(error: unknown, words: Words): Explanation | undefined {
  if (error instanceof SignInCancelled) {
    return { kind: 'sign_in_cancelled', text: '', isRetryable: false };
  }
  if (error instanceof DeviceLoginFailed) {
    return error.reason === 'access_denied'
      ? { kind: 'sign_in_denied', text: words.signInDenied, isRetryable: false }
      : { kind: 'sign_in_expired', text: words.signInExpired, isRetryable: true };
  }
  if (error instanceof SignInRequired) {
    return { kind: 'sign_in_ended', text: words.signInEnded, isRetryable: true };
  }
  if (error instanceof NetworkError) {
    return { kind: 'offline', text: words.offline, isRetryable: true };
  }
  if (error instanceof UnexpectedAnswer) {
    return { kind: 'strange_answer', text: words.strangeAnswer, isRetryable: true };
  }
  return error instanceof PortalProblem ? explainProblem(error, words) : undefined;
}

function explainProblem(problem: PortalProblem, words: Words): Explanation {
  if (problem.code === 'too_many' || problem.code === 'temporarily_unavailable') {
    return { kind: 'too_many', text: words.tooMany(problem.retryAfter ?? 60), isRetryable: true };
  }
  if (problem.status >= 500 || problem.code === 'in_progress') {
    return { kind: 'unavailable', text: words.unavailable, isRetryable: true };
  }
  // The portal's own sentence: it is in the learner's language and says what to do.
  const text = words.refused(problem.detail || problem.title, problem.requestId);
  return { kind: 'refused', text, isRetryable: false };
}
