import { unlessAborted, type Clock } from './clock.js';
import { PortalError, PortalProblem, SignInRequired } from './errors.js';
import { readTokens, type Tokens, type TokenStore } from './tokens.js';
import type { Transport } from './transport.js';

/** Milliseconds before its end from which an access token is not used any more: the way to the portal takes time. */
const EARLY_MS = 30_000;

/** Hands out access tokens and renews them, one renewal at a time. */
export class TokenKeeper {
  private renewal: Promise<Tokens> | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly store: TokenStore,
    private readonly clock: Clock,
    private readonly clientId: string,
  ) {}

  /** Tells whether there are tokens. Only a call shows whether the portal still takes them. */
  async isSignedIn(): Promise<boolean> {
    return (await this.store.load()) !== undefined;
  }

  /** Keeps the tokens of a new sign-in. */
  async keep(tokens: Tokens): Promise<void> {
    await this.exclusively(() => this.store.save(tokens));
  }

  /**
   * Makes a call with an access token; renews the token when it is over, or when the portal says so.
   *
   * @throws {SignInRequired} there are no tokens, or the portal takes them no longer
   */
  async withToken<T>(call: (accessToken: string) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const tokens = await this.current(signal);
    try {
      return await call(tokens.accessToken);
    } catch (error) {
      if (!isUnauthenticated(error)) {
        throw error;
      }
    }
    const renewed = await this.renew(tokens, signal);
    try {
      return await call(renewed.accessToken);
    } catch (error) {
      throw isUnauthenticated(error) ? await this.exclusively(() => this.forget(renewed)) : error;
    }
  }

  /** Ends the sign-in here, and at the portal if it can be reached (RFC 7009). */
  async signOut(signal?: AbortSignal): Promise<void> {
    // A renewal that ends after this would sign in again.
    await this.renewal?.catch(() => undefined);
    const tokens = await this.exclusively(async () => {
      const kept = await this.store.load();
      await this.store.clear();
      return kept;
    });
    if (tokens === undefined) {
      return;
    }
    const form = { token: tokens.refreshToken, token_type_hint: 'refresh_token', client_id: this.clientId };
    try {
      await this.transport.send({ method: 'POST', path: '/oauth/revoke', form, signal });
    } catch (error) {
      // Signed out here all the same; the account's page of devices ends it there.
      if (!(error instanceof PortalError)) {
        throw error;
      }
    }
  }

  private async current(signal?: AbortSignal): Promise<Tokens> {
    const tokens = await this.store.load();
    if (tokens === undefined) {
      throw new SignInRequired();
    }
    return this.clock.now() < tokens.expiresAt - EARLY_MS ? tokens : this.renew(tokens, signal);
  }

  /** Joins the renewal that runs, or begins one. A caller that gives up does not end it for the others. */
  private renew(stale: Tokens, signal?: AbortSignal): Promise<Tokens> {
    this.renewal ??= this.exclusively(() => this.exchange(stale)).finally(() => {
      this.renewal = undefined;
    });
    return unlessAborted(this.renewal, signal);
  }

  private async exchange(stale: Tokens): Promise<Tokens> {
    const kept = await this.store.load();
    if (kept === undefined) {
      throw new SignInRequired();
    }
    if (kept.accessToken !== stale.accessToken) {
      return kept; // another window was faster
    }
    const form = {
      grant_type: 'refresh_token',
      refresh_token: kept.refreshToken,
      client_id: this.clientId,
    };
    try {
      const renewed = await this.transport.json({ method: 'POST', path: '/oauth/token', form }, (fields) =>
        readTokens(fields, this.clock.now()),
      );
      await this.store.save(renewed);
      return renewed;
    } catch (error) {
      throw error instanceof PortalProblem && error.code === 'invalid_grant'
        ? await this.forget(kept)
        : error;
    }
  }

  /**
   * Forgets tokens that are worth nothing, unless newer ones are kept already. Only inside the exclusion: another
   * window could sign in between the look and the removal.
   */
  private async forget(worthless: Tokens): Promise<SignInRequired> {
    const kept = await this.store.load();
    if (kept?.refreshToken === worthless.refreshToken) {
      await this.store.clear();
    }
    return new SignInRequired('The sign-in has ended. Sign in to the portal again.');
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.store.exclusive === undefined ? work() : this.store.exclusive(work);
  }
}

function isUnauthenticated(error: unknown): boolean {
  return error instanceof PortalProblem && error.status === 401;
}
