import { PortalClient, type PortalClientOptions } from '../../src/core/portal-client.js';
import { MemoryTokenStore, type Tokens } from '../../src/core/tokens.js';
import type { FakePortal } from './fake-portal.js';
import { TestClock } from './test-clock.js';

/** A client of a fake portal, with what a test looks at. */
export interface Rig {
  readonly client: PortalClient;
  readonly clock: TestClock;
  readonly tokens: MemoryTokenStore;
}

export function rig(portal: FakePortal, more: Partial<PortalClientOptions> = {}): Rig {
  const clock = new TestClock();
  const tokens = new MemoryTokenStore();
  const client = new PortalClient({ baseUrl: portal.url, clock, tokens, language: 'en', ...more });
  return { client, clock, tokens };
}

/** A rig that is signed in with the tokens `access-1` and `refresh-1`, good for an hour. */
export async function signedIn(portal: FakePortal, more: Partial<PortalClientOptions> = {}): Promise<Rig> {
  const made = rig(portal, more);
  await made.tokens.save(tokensUntil(made.clock.now() + 3_600_000));
  return made;
}

export function tokensUntil(expiresAt: number, n = 1): Tokens {
  return {
    accessToken: `access-${n}`,
    refreshToken: `refresh-${n}`,
    expiresAt,
    scope: 'catalog purchase licenses',
  };
}

/** The error that `work` ends with. */
export async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('It succeeded.');
}
