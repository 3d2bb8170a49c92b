import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from './clock.js';
import * as decode from './decode.js';
import { DeviceLogin, type DeviceCode } from './device-login.js';
import { NetworkError, PortalProblem } from './errors.js';
import { verifyLicense, type Verdict } from './license.js';
import { TokenKeeper } from './token-keeper.js';
import { MemoryTokenStore, type TokenStore } from './tokens.js';
import { pathOf, readJson, Transport, type Answer, type Call, type Fetch } from './transport.js';
import { MemoryTextCache, TrustStore, type TextCache, type Trust } from './trust.js';
import type {
  Course,
  CreatedSession,
  Me,
  OnlineVerdict,
  OwnedLicense,
  PaymentMethod,
  Session,
  TransactionFilter,
  TransactionPage,
} from './types.js';
import { watch, type Tagged, type WatchOptions } from './watch.js';

/** What a client is made of; only `baseUrl` is needed. */
export interface PortalClientOptions {
  /** The portal's origin, `https://…`; plain http is taken on this machine only. */
  readonly baseUrl: string;
  /** Where the sign-in is kept; by default it ends with this object. */
  readonly tokens?: TokenStore;
  /** Where public keys and the revocation list are kept; by default they end with this object. */
  readonly cache?: TextCache;
  /** Language of messages and titles: `zh-CN` (the default) or `en`. */
  readonly language?: string;
  /** What the learner reads when asked for consent and in the list of editors, like `VS Code · desk-7`. */
  readonly deviceName?: string;
  /** Sent as User-Agent; ASCII. */
  readonly userAgent?: string;
  readonly clientId?: string;
  /** Milliseconds until a call without an answer counts as a network error; 15 s. */
  readonly timeoutMs?: number;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
}

/** Options of calls that can be given up. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Options of `createSession`. */
export interface CreateSessionOptions extends CallOptions {
  readonly paymentMethod?: string;
  /**
   * The same text for the same wish, also after a failure: the portal then never makes two of it. By default
   * each call is a wish of its own.
   */
  readonly idempotencyKey?: string;
}

/** What this client asks to be allowed: read the catalogue, buy, fetch licenses. */
export const SCOPE = 'catalog purchase licenses';

const CLIENT_ID = 'learning-buddy-vscode';
const TIMEOUT_MS = 15_000;
/** How often a session is asked for with one Idempotency-Key, and the seconds before the second time. */
const CREATE_TRIES = 4;
const CREATE_WAIT = 1;
/** Seconds: a portal that wants a longer pause is not waited for, the caller is told. */
const LONGEST_CREATE_WAIT = 30;

/** The Learning Buddy Portal, for an editor: sign in, buy, and have the license. */
export class PortalClient {
  /** Public keys and revocation list. */
  readonly trust: TrustStore;
  /** Scheme, host and port of the portal. */
  readonly origin: string;
  private readonly transport: Transport;
  private readonly clock: Clock;
  private readonly keeper: TokenKeeper;
  private readonly deviceLogin: DeviceLogin;

  constructor(private readonly options: PortalClientOptions) {
    const clientId = options.clientId ?? CLIENT_ID;
    this.clock = options.clock ?? systemClock;
    this.transport = new Transport({
      baseUrl: options.baseUrl,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      language: options.language ?? 'zh-CN',
      userAgent: options.userAgent ?? clientId,
    });
    this.origin = this.transport.origin;
    this.keeper = new TokenKeeper(
      this.transport,
      options.tokens ?? new MemoryTokenStore(),
      this.clock,
      clientId,
    );
    this.deviceLogin = new DeviceLogin(this.transport, this.clock, clientId);
    this.trust = new TrustStore(this.transport, options.cache ?? new MemoryTextCache(), this.clock);
  }

  // -- Signing in

  /** Tells whether there are tokens here. Only a call shows whether the portal still takes them. */
  isSignedIn(): Promise<boolean> {
    return this.keeper.isSignedIn();
  }

  /** Begins to sign in: show the answer's `userCode`, open its page, and `finishSignIn`. */
  startSignIn(options: CallOptions = {}): Promise<DeviceCode> {
    return this.deviceLogin.start(SCOPE, this.options.deviceName, options.signal);
  }

  /**
   * Waits until the learner has confirmed the code in a browser, and keeps the tokens.
   *
   * @throws {DeviceLoginFailed} the learner refused, or the code is over
   */
  async finishSignIn(code: DeviceCode, options: CallOptions = {}): Promise<void> {
    await this.keeper.keep(await this.deviceLogin.wait(code, options.signal));
  }

  /** Ends the sign-in here, and at the portal if it can be reached. */
  signOut(options: CallOptions = {}): Promise<void> {
    return this.keeper.signOut(options.signal);
  }

  /** The learner who is signed in. */
  me(options: CallOptions = {}): Promise<Me> {
    return this.authorized({ method: 'GET', path: '/api/v1/me', ...options }, decode.me);
  }

  // -- Courses

  /** The courses that match `query`, all of them without one; `owned` is known when signed in. */
  async courses(query?: string, options: CallOptions = {}): Promise<Course[]> {
    const call: Call = { method: 'GET', path: '/api/v1/courses', query: { q: query }, ...options };
    return readJson(await this.sendOpenly(call), (fields) => fields.objects('items', decode.course));
  }

  /** One course. */
  async course(id: string, options: CallOptions = {}): Promise<Course> {
    const call: Call = { method: 'GET', path: pathOf`/api/v1/courses/${id}`, ...options };
    return readJson(await this.sendOpenly(call), decode.course);
  }

  // -- Paying

  /** The ways to pay. */
  async paymentMethods(options: CallOptions = {}): Promise<PaymentMethod[]> {
    const call: Call = { method: 'GET', path: '/api/v1/payments/methods', ...options };
    return readJson(await this.sendOpenly(call), (fields) => fields.objects('items', decode.paymentMethod));
  }

  /**
   * Opens a payment session for a product, or returns the one the learner has open. Tries again by itself,
   * with the same Idempotency-Key, where it is not known whether the first request arrived.
   *
   * @throws {AlreadyOwned} the learner has the course
   */
  async createSession(productId: string, options: CreateSessionOptions = {}): Promise<CreatedSession> {
    const call: Call = {
      method: 'POST',
      path: '/api/v1/payments/sessions',
      json: { product_id: productId, payment_method: options.paymentMethod ?? 'wechat_pay' },
      headers: { 'Idempotency-Key': options.idempotencyKey ?? randomUUID() },
      signal: options.signal,
    };
    for (let tries = 1; ; tries += 1) {
      try {
        return createdSession(await this.sendAuthorized(call));
      } catch (error) {
        const wait = createWait(error, tries);
        if (wait === undefined) {
          throw error;
        }
        await this.clock.sleep(wait * 1000, options.signal);
      }
    }
  }

  /** A session as it is now. */
  session(id: string, options: CallOptions = {}): Promise<Session> {
    return this.authorized({ method: 'GET', path: sessionPath(id), ...options }, decode.session);
  }

  /** Follows a session until it is final; see `WatchOptions` for what can be heard on the way. */
  watchSession(id: string, options: WatchOptions = {}): Promise<Session> {
    const ask = async (etag: string | undefined): Promise<Tagged | undefined> => {
      const headers = etag === undefined ? {} : { 'If-None-Match': etag };
      const answer = await this.sendAuthorized({
        method: 'GET',
        path: sessionPath(id),
        headers,
        signal: options.signal,
      });
      if (answer.status === 304) {
        return undefined;
      }
      return {
        session: readJson(answer, decode.session),
        etag: answer.headers.get('ETag') ?? undefined,
      };
    };
    return watch(ask, this.clock, options);
  }

  /**
   * Cancels a session: once it is `cancelled`, its code cannot be paid any more. While WeChat Pay has not
   * confirmed that, the session stays `pending`: watch it on.
   *
   * @throws {AlreadyPaid} the money came first; the error holds the session
   */
  cancelSession(id: string, reason: string, options: CallOptions = {}): Promise<Session> {
    const json = { session_id: id, reason };
    return this.authorized(
      { method: 'POST', path: '/api/v1/payments/cancel', json, ...options },
      decode.session,
    );
  }

  /** A page of the learner's payments, newest first. */
  transactions(filter: TransactionFilter = {}, options: CallOptions = {}): Promise<TransactionPage> {
    const query = {
      page: filter.page,
      limit: filter.limit,
      type: filter.type,
      status: filter.status,
      date_from: filter.dateFrom,
      date_to: filter.dateTo,
    };
    return this.authorized(
      { method: 'GET', path: '/api/v1/payments/transactions', query, ...options },
      decode.transactionPage,
    );
  }

  // -- Licenses

  /** The learner's licenses. */
  licenses(options: CallOptions = {}): Promise<OwnedLicense[]> {
    return this.authorized({ method: 'GET', path: '/api/v1/licenses', ...options }, (fields) =>
      fields.objects('items', decode.ownedLicense),
    );
  }

  /** One of the learner's licenses. */
  license(id: string, options: CallOptions = {}): Promise<OwnedLicense> {
    return this.authorized(
      { method: 'GET', path: pathOf`/api/v1/licenses/${id}`, ...options },
      decode.ownedLicense,
    );
  }

  /** The portal's own verdict on a license text; needs no sign-in. */
  verifyOnline(text: string, courseId?: string, options: CallOptions = {}): Promise<OnlineVerdict> {
    const json = { key: text, ...(courseId === undefined ? {} : { course_id: courseId }) };
    return this.transport.json(
      { method: 'POST', path: '/api/v1/licenses/verify', json, ...options },
      decode.onlineVerdict,
    );
  }

  /**
   * Judges a license text offline. Asks the portal only for a newer revocation list when one is due, or for a
   * key that is not known yet, and goes on without if it does not answer.
   */
  async verifyOffline(text: string, courseId?: string, options: CallOptions = {}): Promise<Verdict> {
    const judge = (trust: Trust): Verdict =>
      verifyLicense(text, trust.keys, trust.revocations, this.clock.now(), courseId);
    const verdict = judge(await this.trust.current(options.signal));
    return verdict.code === 'UNKNOWN_KEY' ? judge(await this.trust.forUnknownKey(options.signal)) : verdict;
  }

  // -- Calls

  private sendAuthorized(call: Call): Promise<Answer> {
    return this.keeper.withToken((bearer) => this.transport.send({ ...call, bearer }), call.signal);
  }

  private async authorized<T>(call: Call, read: Parameters<typeof readJson<T>>[1]): Promise<T> {
    return readJson(await this.sendAuthorized(call), read);
  }

  /** Public calls say more to a learner who is signed in. */
  private async sendOpenly(call: Call): Promise<Answer> {
    return (await this.keeper.isSignedIn()) ? this.sendAuthorized(call) : this.transport.send(call);
  }
}

function sessionPath(id: string): string {
  return pathOf`/api/v1/payments/sessions/${id}`;
}

function createdSession(answer: Answer): CreatedSession {
  return {
    session: readJson(answer, decode.session),
    isNew: answer.status === 201,
    isReplay: answer.headers.get('Idempotency-Replayed') === 'true',
  };
}

/** Seconds until the next try with the same key; `undefined` when the caller has to decide. */
function createWait(error: unknown, tries: number): number | undefined {
  const isWorthIt =
    error instanceof NetworkError ||
    (error instanceof PortalProblem && error.isTemporary && error.status !== 429);
  if (!isWorthIt || tries >= CREATE_TRIES) {
    return undefined;
  }
  const asked = error instanceof PortalProblem ? (error.retryAfter ?? 0) : 0;
  const wait = Math.max(CREATE_WAIT * 2 ** (tries - 1), asked);
  return wait > LONGEST_CREATE_WAIT ? undefined : wait;
}
