import { Fields } from './fields.js';

/** What the portal gave this editor. Both tokens are secrets. */
export interface Tokens {
  readonly accessToken: string;
  /** Works once: a refresh brings the next one. A second use ends the whole sign-in. */
  readonly refreshToken: string;
  /** When the access token ends, in milliseconds since 1970-01-01 UTC by this machine's clock. */
  readonly expiresAt: number;
  /** Scopes, parted by blanks. */
  readonly scope: string;
}

/** Where tokens are kept between calls and restarts: SecretStorage in VS Code. */
export interface TokenStore {
  load(): Promise<Tokens | undefined>;
  save(tokens: Tokens): Promise<void>;
  clear(): Promise<void>;
  /**
   * Runs `work` while nobody else who shares these tokens does (another window of the editor, say). Without
   * it, two windows that refresh at one moment use the same refresh token twice, which signs both out.
   */
  exclusive?<T>(work: () => Promise<T>): Promise<T>;
}

/** Keeps tokens as long as this object lives. */
export class MemoryTokenStore implements TokenStore {
  private tokens: Tokens | undefined;

  load(): Promise<Tokens | undefined> {
    return Promise.resolve(this.tokens);
  }

  save(tokens: Tokens): Promise<void> {
    this.tokens = tokens;
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.tokens = undefined;
    return Promise.resolve();
  }
}

/** Reads the answer of the token endpoint (RFC 6749, section 5.1); `now` in milliseconds. */
export function readTokens(fields: Fields, now: number): Tokens {
  return {
    accessToken: fields.text('access_token'),
    refreshToken: fields.text('refresh_token'),
    expiresAt: now + fields.number('expires_in') * 1000,
    scope: fields.optional('scope', fields.text) ?? '',
  };
}

/** Writes tokens as text for a store. */
export function tokensToText(tokens: Tokens): string {
  return JSON.stringify(tokens);
}

/** Reads what `tokensToText` wrote; `undefined` when it is something else. */
export function tokensFromText(text: string): Tokens | undefined {
  try {
    const fields = new Fields(JSON.parse(text));
    return {
      accessToken: fields.text('accessToken'),
      refreshToken: fields.text('refreshToken'),
      expiresAt: fields.number('expiresAt'),
      scope: fields.text('scope'),
    };
  } catch {
    return undefined;
  }
}
