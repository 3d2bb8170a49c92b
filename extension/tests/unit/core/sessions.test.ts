import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AlreadyOwned,
  AlreadyPaid,
  NetworkError,
  PortalProblem,
  SignInRequired,
} from '../../../src/core/errors.js';
import type { Session } from '../../../src/core/types.js';
import { errorOf, signedIn } from '../../support/clients.js';
import { FakePortal, oauthError, problem, sessionBody } from '../../support/fake-portal.js';

const CREATE = 'POST /api/v1/payments/sessions';
const ID = '8k3hq2v9x0m4t7w1c5zr';
const SESSION = `GET /api/v1/payments/sessions/${ID}`;
const CANCEL = 'POST /api/v1/payments/cancel';
const LICENSE = {
  id: 'l1',
  course_id: 'cpp-primer-5th',
  key: 'AAAA|BBBB',
  expires_at: '2027-11-20T08:00:00.000Z',
};
const COMPLETED = sessionBody({ status: 'completed', code_url: null, qr_svg: null, license: LICENSE });

let portal: FakePortal;
beforeEach(async () => {
  portal = await FakePortal.start();
});
afterEach(() => portal.stop());

function keysOf(route: string): unknown[] {
  return portal.calls(route).map((seen) => seen.headers['idempotency-key']);
}

describe('createSession', () => {
  it('asks for a product, with a key of its own each time', async () => {
    portal.on(CREATE, { status: 201, body: sessionBody() });
    const { client } = await signedIn(portal);
    const created = await client.createSession('cpp-primer-5th');
    await client.createSession('cpp-primer-5th');
    expect(JSON.parse(portal.calls(CREATE)[0]?.body ?? '')).toEqual({
      product_id: 'cpp-primer-5th',
      payment_method: 'wechat_pay',
    });
    expect(new Set(keysOf(CREATE)).size).toBe(2);
    expect(created).toMatchObject({ isNew: true, isReplay: false });
    expect(created.session).toMatchObject({
      id: ID,
      status: 'pending',
      amount: 9900,
      pollAfter: 2,
      license: undefined,
    });
  });

  it('tells an open session and a repeated answer from a new one', async () => {
    portal.on(CREATE, [
      { status: 200, body: sessionBody() },
      { status: 201, body: sessionBody(), headers: { 'Idempotency-Replayed': 'true' } },
    ]);
    const { client } = await signedIn(portal);
    expect(await client.createSession('x')).toMatchObject({ isNew: false, isReplay: false });
    expect(await client.createSession('x')).toMatchObject({ isNew: true, isReplay: true });
  });

  it('keeps the key over all it tries', async () => {
    portal.on(CREATE, [
      { hangUp: true },
      problem(409, 'in_progress', {}, { 'Retry-After': '3' }),
      problem(503, 'unavailable'),
      { status: 201, body: sessionBody() },
    ]);
    const { client, clock } = await signedIn(portal);
    await client.createSession('x', { idempotencyKey: 'wish-1' });
    expect(keysOf(CREATE)).toEqual(['wish-1', 'wish-1', 'wish-1', 'wish-1']);
    expect(clock.sleeps).toEqual([1, 3, 4]);
  });

  it('gives up in the end, and says why', async () => {
    portal.on(CREATE, { hangUp: true });
    const { client } = await signedIn(portal);
    expect(await errorOf(client.createSession('x'))).toBeInstanceOf(NetworkError);
    expect(portal.calls(CREATE)).toHaveLength(4);
    expect(new Set(keysOf(CREATE)).size).toBe(1);
  });

  it('does not wait for a portal that wants a long pause', async () => {
    portal.on(CREATE, problem(503, 'unavailable', {}, { 'Retry-After': '600' }));
    const { client } = await signedIn(portal);
    expect(await errorOf(client.createSession('x'))).toMatchObject({ code: 'unavailable', retryAfter: 600 });
    expect(portal.calls(CREATE)).toHaveLength(1);
  });

  it.each([
    [404, 'not_found'],
    [422, 'not_for_sale'],
    [422, 'idempotency_mismatch'],
    [429, 'too_many'],
    [403, 'insufficient_scope'],
  ])('does not repeat what is refused with %i %s', async (status, code) => {
    portal.on(CREATE, problem(status, code, {}, { 'Retry-After': '7' }));
    const { client } = await signedIn(portal);
    const error = await errorOf(client.createSession('x'));
    expect(error).toBeInstanceOf(PortalProblem);
    expect(error).toMatchObject({ status, code, retryAfter: 7, requestId: 'r-1', detail: `About ${code}.` });
    expect(portal.calls(CREATE)).toHaveLength(1);
  });

  it('says which license is owned', async () => {
    portal.on(CREATE, [
      problem(409, 'already_owned', { license_id: 'l1' }),
      problem(409, 'already_owned', { license_id: null }),
    ]);
    const { client } = await signedIn(portal);
    const error = await errorOf(client.createSession('x'));
    expect(error).toBeInstanceOf(AlreadyOwned);
    expect(error).toMatchObject({ licenseId: 'l1' });
    expect(await errorOf(client.createSession('x'))).toMatchObject({ licenseId: undefined });
  });
});

describe('watchSession', () => {
  async function watched(): Promise<{
    final: Session;
    sleeps: number[];
    changes: string[];
    connection: string[];
  }> {
    const { client, clock } = await signedIn(portal);
    const changes: string[] = [];
    const connection: string[] = [];
    const final = await client.watchSession(ID, {
      onChange: (session) => changes.push(session.status),
      onConnection: (state) => connection.push(state),
    });
    return { final, sleeps: clock.sleeps, changes, connection };
  }

  it('asks as often as the portal wants, until the license is there', async () => {
    portal.on(SESSION, [
      { body: sessionBody() },
      { body: sessionBody({ poll_after: 5 }) },
      { body: sessionBody({ status: 'paid' }) },
      { body: COMPLETED },
    ]);
    const { final, sleeps, changes } = await watched();
    expect(sleeps).toEqual([2, 5, 2]);
    expect(changes).toEqual(['pending', 'pending', 'paid', 'completed']);
    expect(final.license).toEqual({
      id: 'l1',
      courseId: 'cpp-primer-5th',
      key: 'AAAA|BBBB',
      expiresAt: '2027-11-20T08:00:00.000Z',
    });
  });

  it('asks with the tag it knows, and takes 304 for "as before"', async () => {
    portal.on(SESSION, [
      { body: sessionBody({ poll_after: 3 }), headers: { ETag: '"a"' } },
      { status: 304, headers: { ETag: '"a"' } },
      { status: 304, headers: { ETag: '"a"' } },
      { body: COMPLETED, headers: { ETag: '"b"' } },
    ]);
    const { sleeps, changes } = await watched();
    expect(portal.calls(SESSION).map((seen) => seen.headers['if-none-match'])).toEqual([
      undefined,
      '"a"',
      '"a"',
      '"a"',
    ]);
    expect(sleeps).toEqual([3, 3, 3]);
    expect(changes).toEqual(['pending', 'completed']);
  });

  it('never asks more than once a second', async () => {
    portal.on(SESSION, [{ body: sessionBody({ poll_after: 0 }) }, { body: COMPLETED }]);
    expect((await watched()).sleeps).toEqual([1]);
  });

  it.each(['completed', 'expired', 'cancelled', 'failed', 'refunded'])('ends with %s', async (status) => {
    portal.on(SESSION, { body: sessionBody({ status }) });
    expect((await watched()).final.status).toBe(status);
    expect(portal.calls(SESSION)).toHaveLength(1);
  });

  it('goes on through outages of network and portal, less and less often', async () => {
    const lost = { hangUp: true };
    portal.on(SESSION, [
      { body: sessionBody() },
      lost,
      lost,
      lost,
      lost,
      lost,
      problem(503, 'unavailable', {}, { 'Retry-After': '45' }),
      { body: COMPLETED },
    ]);
    const { sleeps, connection } = await watched();
    expect(sleeps).toEqual([2, 2, 4, 8, 16, 30, 45]);
    expect(connection).toEqual(['lost', 'back']);
  });

  it('waits as long as a limit says', async () => {
    portal.on(SESSION, [problem(429, 'too_many', {}, { 'Retry-After': '20' }), { body: COMPLETED }]);
    expect((await watched()).sleeps).toEqual([20]);
  });

  it('ends with a refusal that stays', async () => {
    portal.on(SESSION, problem(404, 'not_found'));
    const { client } = await signedIn(portal);
    expect(await errorOf(client.watchSession(ID))).toMatchObject({ code: 'not_found' });
    portal.on(SESSION, { status: 200, body: '<html>hotspot</html>' });
    expect(await errorOf(client.watchSession(ID))).toMatchObject({ name: 'UnexpectedAnswer' });
  });

  it('says that a new sign-in is needed when the editor was cut off meanwhile', async () => {
    portal.on(SESSION, [{ body: sessionBody() }, problem(401, 'unauthenticated')]);
    portal.on('POST /oauth/token', oauthError('invalid_grant'));
    const { client } = await signedIn(portal);
    expect(await errorOf(client.watchSession(ID))).toBeInstanceOf(SignInRequired);
  });

  it('ends at once when it is aborted, asleep or asking', async () => {
    portal.on(SESSION, { body: sessionBody() });
    const stop = new AbortController();
    const { client, clock } = await signedIn(portal);
    clock.onSleep = () => stop.abort();
    expect(await errorOf(client.watchSession(ID, { signal: stop.signal }))).toMatchObject({
      name: 'AbortError',
    });

    portal.on(SESSION, { never: true });
    const stopAsking = new AbortController();
    setTimeout(() => stopAsking.abort(), 20);
    expect(await errorOf(client.watchSession(ID, { signal: stopAsking.signal }))).toMatchObject({
      name: 'AbortError',
    });
  });

  it('escapes what it puts into an address', async () => {
    const { client } = await signedIn(portal);
    await errorOf(client.session('../me?x=1'));
    expect(portal.seen.at(-1)?.path).toBe('/api/v1/payments/sessions/..%2Fme%3Fx%3D1');
  });
});

describe('cancelSession', () => {
  it('cancels', async () => {
    portal.on(CANCEL, { body: sessionBody({ status: 'cancelled', code_url: null, qr_svg: null }) });
    const { client } = await signedIn(portal);
    expect(await client.cancelSession(ID, 'changed my mind')).toMatchObject({
      status: 'cancelled',
      codeUrl: undefined,
    });
    expect(JSON.parse(portal.calls(CANCEL)[0]?.body ?? '')).toEqual({
      session_id: ID,
      reason: 'changed my mind',
    });
  });

  it('gives the session that was paid first', async () => {
    portal.on(CANCEL, problem(409, 'already_paid', { session: COMPLETED }));
    const { client } = await signedIn(portal);
    const error = await errorOf(client.cancelSession(ID, ''));
    expect(error).toBeInstanceOf(AlreadyPaid);
    expect(error).toMatchObject({ session: { status: 'completed', license: { id: 'l1' } } });
  });
});

describe('lists', () => {
  it('reads history with a filter', async () => {
    const item = {
      id: ID,
      session_id: ID,
      type: 'payment',
      status: 'completed',
      amount: 9900,
      currency: 'CNY',
      payment_method: 'wechat_pay',
      product: { id: 'cpp-primer-5th', kind: 'course', title: 'C++' },
      transaction_id: '4200',
      created_at: '2026-11-20T08:00:00.000Z',
      paid_at: '2026-11-20T08:01:00.000Z',
      license_id: 'l1',
    };
    portal.on('GET /api/v1/payments/transactions', { body: { items: [item], page: 2, limit: 1, total: 9 } });
    const { client } = await signedIn(portal);
    const page = await client.transactions({
      page: 2,
      limit: 1,
      status: 'completed',
      dateFrom: '2026-11-01',
    });
    expect(page).toMatchObject({
      page: 2,
      total: 9,
      items: [{ id: ID, licenseId: 'l1', transactionId: '4200' }],
    });
    expect(Object.fromEntries(portal.seen[0]?.query ?? [])).toEqual({
      page: '2',
      limit: '1',
      status: 'completed',
      date_from: '2026-11-01',
    });
  });

  it('reads a license whose text is withheld', async () => {
    const revoked = {
      id: 'l1',
      course_id: 'cpp-primer-5th',
      status: 'revoked',
      issued_at: '2026-11-20T08:00:00.000Z',
      expires_at: '2027-11-20T08:00:00.000Z',
      order_id: null,
      key: null,
    };
    portal.on('GET /api/v1/licenses', { body: { items: [revoked] } });
    const { client } = await signedIn(portal);
    expect((await client.licenses())[0]).toMatchObject({
      status: 'revoked',
      key: undefined,
      orderId: undefined,
    });
  });
});
