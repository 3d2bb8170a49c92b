import type { Session } from './types.js';

/** Everything this client throws on its own account. An aborted call rejects with its signal's reason instead. */
export abstract class PortalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A field the portal found wrong. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** What a refusal says; RFC 9457 (problem+json) with the portal's own members, or RFC 6749 section 5.2. */
export interface ProblemFacts {
  /** HTTP status. */
  readonly status: number;
  /** Stable and machine-readable: `already_owned`, `not_found`, `too_many`, … */
  readonly code: string;
  readonly title: string;
  /** A sentence for people, in the language that was asked for. */
  readonly detail: string;
  /** Seconds to wait before trying again, when the portal says so. */
  readonly retryAfter: number | undefined;
  /** Quote it to support: it finds the request in the portal's log. */
  readonly requestId: string;
  readonly errors: readonly FieldError[];
}

/** The portal understood the request and refused it. */
export class PortalProblem extends PortalError {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly retryAfter: number | undefined;
  readonly requestId: string;
  readonly errors: readonly FieldError[];

  constructor(facts: ProblemFacts) {
    super(`${facts.status} ${facts.code}: ${facts.detail || facts.title}`);
    this.status = facts.status;
    this.code = facts.code;
    this.title = facts.title;
    this.detail = facts.detail;
    this.retryAfter = facts.retryAfter;
    this.requestId = facts.requestId;
    this.errors = facts.errors;
  }

  /** Whether the same request may succeed later, with nothing changed. */
  get isTemporary(): boolean {
    return this.status === 429 || this.status >= 500 || this.code === 'in_progress';
  }
}

/** 409 `already_owned`: the learner has this course. */
export class AlreadyOwned extends PortalProblem {
  constructor(
    facts: ProblemFacts,
    /** The license that is held; `undefined` while it is still being made. */
    readonly licenseId: string | undefined,
  ) {
    super(facts);
  }
}

/** 409 `already_paid`: the money came before the cancellation. */
export class AlreadyPaid extends PortalProblem {
  constructor(
    facts: ProblemFacts,
    /** The session as it stands now. */
    readonly session: Session,
  ) {
    super(facts);
  }
}

/** No answer: offline, DNS, TLS, refused, or nothing within the time limit. Nothing is known of what was done. */
export class NetworkError extends PortalError {}

/** An answer that is not the portal's: a proxy's page, a hotspot's login, or a version this client cannot read. */
export class UnexpectedAnswer extends PortalError {
  constructor(
    message: string,
    /** HTTP status of that answer. */
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** There are no tokens, or the portal no longer takes them: the learner has to sign in. */
export class SignInRequired extends PortalError {
  constructor(message = 'Sign in to the portal first.') {
    super(message);
  }
}

/** The device login ended without tokens (RFC 8628, section 3.5). */
export class DeviceLoginFailed extends PortalError {
  constructor(
    /** `access_denied`: the learner said no. `expired_token`: nobody said anything in time, or the code was used. */
    readonly reason: 'access_denied' | 'expired_token',
  ) {
    super(reason === 'access_denied' ? 'The sign-in was refused.' : 'The sign-in code is no longer valid.');
  }
}

/** Tells whether `error` says that a signal was aborted (and not that a call took too long). */
export function isAbort(error: unknown, signal?: AbortSignal): boolean {
  return signal?.aborted === true || (error instanceof Error && error.name === 'AbortError');
}
