import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkError, SignInRequired } from '../../../src/core/errors.js';
import { MemoryTokenStore, tokensFromText, tokensToText, type Tokens } from '../../../src/core/tokens.js';
import { errorOf, rig, signedIn, tokensUntil } from '../../support/clients.js';
import { FakePortal, oauthError, problem, tokenReply } from '../../support/fake-portal.js';

const ME = 'GET /api/v1/me';
const TOKEN = 'POST /oauth/token';
const REVOKE = 'POST /oauth/revoke';
const BODY = { id: 'm1', email: 'ada@example.com', locale: 'en', role: 'learner' };

let portal: FakePortal;
beforeEach(async () => {
  portal = await FakePortal.start();
  portal.on(ME, (seen) =>
    seen.headers.authorization === 'Bearer access-2' ? { body: BODY } : problem(401, 'unauthenticated'),
  );
  portal.on(TOKEN, tokenReply(2));
});
afterEach(() => portal.stop());

describe('renewing', () => {
  it('sends the token in the header, and nowhere else', async () => {
    portal.on(ME, { body: BODY });
    const { client } = await signedIn(portal);
    expect(await client.me()).toEqual(BODY);
    const [seen] = portal.calls(ME);
    expect(seen?.headers).toMatchObject({ authorization: 'Bearer access-1', 'accept-language': 'en' });
    expect(seen?.headers.cookie).toBeUndefined();
    expect([...(seen?.query ?? [])]).toEqual([]);
  });

  it('renews when the portal refuses the token, and keeps both new ones', async () => {
    const { client, tokens, clock } = await signedIn(portal);
    expect(await client.me()).toEqual(BODY);
    expect(Object.fromEntries(portal.calls(TOKEN)[0]?.form ?? [])).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-1',
      client_id: 'learning-buddy-vscode',
    });
    expect(await tokens.load()).toEqual(tokensUntil(clock.now() + 3_600_000, 2));
  });

  it('renews before the end, without a refused call', async () => {
    const { client, tokens, clock } = rig(portal);
    await tokens.save(tokensUntil(clock.now() + 29_000));
    await client.me();
    expect(portal.calls(ME)).toHaveLength(1);
  });

  it('renews once for many calls at a time', async () => {
    const { client } = await signedIn(portal);
    await Promise.all(Array.from({ length: 20 }, () => client.me()));
    expect(portal.calls(TOKEN)).toHaveLength(1);
  });

  it('is not ended for the others when one caller gives up', async () => {
    const { client, tokens } = await signedIn(portal);
    const stop = new AbortController();
    portal.on(TOKEN, () => {
      stop.abort(new Error('enough'));
      return tokenReply(2);
    });
    const [given, other] = await Promise.all([errorOf(client.me({ signal: stop.signal })), client.me()]);
    expect(given).toEqual(new Error('enough'));
    expect(other).toEqual(BODY);
    expect((await tokens.load())?.refreshToken).toBe('refresh-2');
    expect(portal.calls(TOKEN)).toHaveLength(1);
  });

  it('takes the tokens that another window has renewed meanwhile', async () => {
    const { client, tokens, clock } = await signedIn(portal);
    portal.on(ME, (seen) => {
      if (seen.headers.authorization === 'Bearer access-2') {
        return { body: BODY };
      }
      void tokens.save(tokensUntil(clock.now() + 3_600_000, 2));
      return problem(401, 'unauthenticated');
    });
    await client.me();
    expect(portal.calls(TOKEN)).toHaveLength(0);
  });

  it('renews inside the exclusion of the store', async () => {
    const order: string[] = [];
    class Shared extends MemoryTokenStore {
      async exclusive<T>(work: () => Promise<T>): Promise<T> {
        order.push('lock');
        try {
          return await work();
        } finally {
          order.push('unlock');
        }
      }
    }
    const tokens = new Shared();
    portal.on(TOKEN, () => {
      order.push('refresh');
      return tokenReply(2);
    });
    const { client, clock } = rig(portal, { tokens });
    await tokens.save(tokensUntil(clock.now() + 3_600_000));
    await client.me();
    expect(order).toEqual(['lock', 'refresh', 'unlock']);
  });
});

describe('the end of a sign-in', () => {
  it('needs tokens', async () => {
    expect(await errorOf(rig(portal).client.me())).toBeInstanceOf(SignInRequired);
    expect(portal.seen).toHaveLength(0);
  });

  it('forgets tokens that the portal no longer renews', async () => {
    portal.on(TOKEN, oauthError('invalid_grant'));
    const { client } = await signedIn(portal);
    expect(await errorOf(client.me())).toBeInstanceOf(SignInRequired);
    expect(await client.isSignedIn()).toBe(false);
  });

  it('forgets tokens that are refused although new', async () => {
    portal.on(ME, problem(401, 'unauthenticated'));
    const { client } = await signedIn(portal);
    expect(await errorOf(client.me())).toBeInstanceOf(SignInRequired);
    expect(await client.isSignedIn()).toBe(false);
    expect(portal.calls(ME)).toHaveLength(2);
  });

  it('keeps the sign-in of another window that comes while it looks', async () => {
    let end: Promise<unknown> = Promise.resolve();
    let isWatched = false;
    class Shared extends MemoryTokenStore {
      exclusive<T>(work: () => Promise<T>): Promise<T> {
        const mine = end.then(work);
        end = mine.catch(() => undefined);
        return mine;
      }

      override async load(): Promise<Tokens | undefined> {
        const kept = await super.load();
        if (isWatched && kept?.accessToken === 'access-2') {
          isWatched = false;
          void this.exclusive(() => this.save(tokensUntil(clock.now() + 3_600_000, 3)));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        return kept;
      }
    }
    const tokens = new Shared();
    const { client, clock } = rig(portal, { tokens });
    await tokens.save(tokensUntil(clock.now() + 3_600_000));
    portal.on(ME, (seen) => {
      isWatched = seen.headers.authorization === 'Bearer access-2';
      return problem(401, 'unauthenticated');
    });
    expect(await errorOf(client.me())).toBeInstanceOf(SignInRequired);
    await end;
    expect((await tokens.load())?.accessToken).toBe('access-3');
  });

  it.each([
    ['no answer', { hangUp: true }],
    ['an outage', problem(503, 'unavailable')],
    ['a limit', oauthError('slow_down', 429)],
  ])('keeps the tokens through %s', async (_what, reply) => {
    portal.on(TOKEN, reply);
    const { client } = await signedIn(portal);
    const error = await errorOf(client.me());
    expect(error).not.toBeInstanceOf(SignInRequired);
    expect(await client.isSignedIn()).toBe(true);
  });

  it('signs out here and there', async () => {
    portal.on(REVOKE, { body: {} });
    const { client } = await signedIn(portal);
    await client.signOut();
    expect(await client.isSignedIn()).toBe(false);
    expect(portal.calls(REVOKE)[0]?.form.get('token')).toBe('refresh-1');
  });

  it('signs out here though the portal is away', async () => {
    portal.on(REVOKE, { hangUp: true });
    const { client } = await signedIn(portal);
    await client.signOut();
    expect(await client.isSignedIn()).toBe(false);
  });

  it('signs out for good though a renewal is under way', async () => {
    portal.on(REVOKE, { body: {} });
    const { client } = await signedIn(portal);
    const call = client.me().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await client.signOut();
    await call;
    expect(await client.isSignedIn()).toBe(false);
  });
});

describe('public calls', () => {
  it('go without a token when there is none', async () => {
    portal.on('GET /api/v1/courses', { body: { items: [] } });
    expect(await rig(portal).client.courses('c++ & c')).toEqual([]);
    const [seen] = portal.calls('GET /api/v1/courses');
    expect(seen?.headers.authorization).toBeUndefined();
    expect(seen?.query.get('q')).toBe('c++ & c');
  });
});

it('writes and reads tokens as text', () => {
  const tokens = tokensUntil(1);
  expect(tokensFromText(tokensToText(tokens))).toEqual(tokens);
  expect(tokensFromText('{}')).toBeUndefined();
  expect(tokensFromText('')).toBeUndefined();
  expect(new NetworkError('x').name).toBe('NetworkError');
});
