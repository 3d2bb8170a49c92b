import type { Clock } from './clock.js';
import { DeviceLoginFailed, NetworkError, PortalProblem, UnexpectedAnswer } from './errors.js';
import type { Fields } from './fields.js';
import { readTokens, type Tokens } from './tokens.js';
import type { Transport } from './transport.js';

/** What the learner is shown, and what it stands for (RFC 8628, section 3.2). */
export interface DeviceCode {
  /** A secret between this client and the portal: never shown. */
  readonly deviceCode: string;
  /** `XXXX-XXXX`, to be compared or typed by the learner. */
  readonly userCode: string;
  /** Where the code is typed. */
  readonly verificationUri: string;
  /** The same page with the code filled in. */
  readonly verificationUriComplete: string;
  /** In milliseconds since 1970-01-01 UTC. */
  readonly expiresAt: number;
  /** Seconds between two questions. */
  readonly interval: number;
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code';
/** Seconds: the interval when the portal names none, and what each slow_down adds (RFC 8628, 3.2 and 3.5). */
const USUAL_INTERVAL = 5;
const SLOW_DOWN = 5;
/** Seconds: nobody waits longer than this for an answer that may be there. */
const LONGEST_INTERVAL = 60;

/** Signs in without a browser of its own: shows a code, and asks until the learner has confirmed it elsewhere. */
export class DeviceLogin {
  constructor(
    private readonly transport: Transport,
    private readonly clock: Clock,
    private readonly clientId: string,
  ) {}

  /** Asks for a code. `deviceName` is what the learner will read on the page that asks for consent. */
  async start(scope: string, deviceName: string | undefined, signal?: AbortSignal): Promise<DeviceCode> {
    const form = {
      client_id: this.clientId,
      scope,
      ...(deviceName === undefined ? {} : { device_name: deviceName }),
    };
    const began = this.clock.now();
    return this.transport.json(
      { method: 'POST', path: '/oauth/device_authorization', form, signal },
      (fields) => readDeviceCode(fields, began),
    );
  }

  /**
   * Waits until the learner has confirmed the code; asks no more often than the portal allows.
   *
   * @throws {DeviceLoginFailed} the learner refused, or the code is over
   */
  async wait(code: DeviceCode, signal?: AbortSignal): Promise<Tokens> {
    let interval = code.interval;
    for (;;) {
      await this.clock.sleep(interval * 1000, signal);
      if (this.clock.now() >= code.expiresAt) {
        throw new DeviceLoginFailed('expired_token');
      }
      try {
        return await this.ask(code, signal);
      } catch (error) {
        interval = nextInterval(error, interval);
      }
    }
  }

  private ask(code: DeviceCode, signal?: AbortSignal): Promise<Tokens> {
    const form = { grant_type: GRANT_TYPE, device_code: code.deviceCode, client_id: this.clientId };
    return this.transport.json({ method: 'POST', path: '/oauth/token', form, signal }, (fields) =>
      readTokens(fields, this.clock.now()),
    );
  }
}

function readDeviceCode(fields: Fields, now: number): DeviceCode {
  const verificationUri = fields.address('verification_uri');
  return {
    deviceCode: fields.text('device_code'),
    userCode: fields.text('user_code'),
    verificationUri,
    verificationUriComplete: fields.optional('verification_uri_complete', fields.address) ?? verificationUri,
    expiresAt: now + fields.number('expires_in') * 1000,
    interval: fields.optional('interval', fields.number) ?? USUAL_INTERVAL,
  };
}

/** The seconds to wait after a question that brought no tokens; throws when asking again is of no use. */
function nextInterval(error: unknown, interval: number): number {
  if (error instanceof NetworkError) {
    // RFC 8628, section 3.5: after a timeout, ask less often.
    return Math.min(interval * 2, LONGEST_INTERVAL);
  }
  if (error instanceof UnexpectedAnswer && error.status !== 200) {
    return interval;
  }
  if (!(error instanceof PortalProblem)) {
    throw error;
  }
  switch (error.code) {
    case 'authorization_pending':
      return interval;
    case 'slow_down':
      return Math.max(interval + SLOW_DOWN, error.retryAfter ?? 0);
    case 'access_denied':
      throw new DeviceLoginFailed('access_denied');
    case 'expired_token':
    case 'invalid_grant':
      throw new DeviceLoginFailed('expired_token');
    default:
      if (error.isTemporary) {
        return Math.max(interval, error.retryAfter ?? 0);
      }
      throw error;
  }
}
