import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkError, PortalProblem, UnexpectedAnswer } from '../../../src/core/errors.js';
import { PortalClient } from '../../../src/core/portal-client.js';
import { errorOf, rig, signedIn } from '../../support/clients.js';
import { FakePortal, problem } from '../../support/fake-portal.js';

const ME = 'GET /api/v1/me';

let portal: FakePortal;
beforeEach(async () => {
  portal = await FakePortal.start();
});
afterEach(() => portal.stop());

describe('the address of the portal', () => {
  it.each(['https://portal.example', 'http://127.0.0.1:8000', 'http://localhost:8000/x', 'http://[::1]:1'])(
    'may be %s',
    (baseUrl) => {
      expect(new PortalClient({ baseUrl }).origin).toBe(new URL(baseUrl).origin);
    },
  );

  it.each(['http://portal.example', 'http://127.0.0.1.example', 'ftp://127.0.0.1', 'portal.example', ''])(
    'may not be %s',
    (baseUrl) => {
      expect(() => new PortalClient({ baseUrl })).toThrow('https');
    },
  );
});

describe('what goes wrong', () => {
  it('tells a refused connection', async () => {
    const { client } = await signedIn(portal);
    await portal.stop();
    const error = await errorOf(client.me());
    expect(error).toBeInstanceOf(NetworkError);
    expect(String(error)).toContain('ECONNREFUSED');
    portal = await FakePortal.start();
  });

  it('tells an answer that does not come in time', async () => {
    portal.on(ME, { never: true });
    const { client } = await signedIn(portal, { timeoutMs: 40 });
    expect(String(await errorOf(client.me()))).toContain('no answer within 0.04 s');
  });

  it('follows no redirect: a token stays with the portal', async () => {
    portal.on(ME, { status: 307, headers: { Location: `${portal.url}/elsewhere` } });
    const { client } = await signedIn(portal);
    expect(await errorOf(client.me())).toBeInstanceOf(NetworkError);
    expect(portal.seen).toHaveLength(1);
  });

  it.each([
    ['a page', { body: '<html>Welcome to the hotspot</html>' }],
    ['another shape', { body: { id: 1 } }],
    ['a list', { body: [] }],
    ['somebody else’s 404', { status: 404, body: '<html>nginx</html>' }],
  ])('does not believe %s', async (_what, reply) => {
    portal.on(ME, reply);
    const { client } = await signedIn(portal);
    expect(await errorOf(client.me())).toBeInstanceOf(UnexpectedAnswer);
  });

  it('never quotes what it could not read: it may be a secret', async () => {
    portal.on('GET /api/v1/licenses', { body: { items: [{ id: 'l1', key: 'SECRET' }] } });
    const { client } = await signedIn(portal);
    const error = await errorOf(client.licenses());
    expect(String(error)).toContain('answer.items[0].course_id');
    expect(JSON.stringify(error) + String(error)).not.toContain('SECRET');
  });

  it('reads an outage told by a server in front of the portal', async () => {
    portal.on(ME, { status: 502, body: '<html>Bad Gateway</html>', headers: { 'Retry-After': '30' } });
    const { client } = await signedIn(portal);
    const error = await errorOf(client.me());
    expect(error).toBeInstanceOf(PortalProblem);
    expect(error).toMatchObject({ status: 502, code: 'unavailable', retryAfter: 30, isTemporary: true });
  });

  it('reads the fields of a refusal', async () => {
    portal.on(ME, problem(422, 'validation_failed', { errors: [{ field: 'q', message: 'too long' }] }));
    const { client } = await signedIn(portal);
    const error = await errorOf(client.me());
    expect(error).toMatchObject({ errors: [{ field: 'q', message: 'too long' }], isTemporary: false });
    expect(String(error)).toBe('PortalProblem: 422 validation_failed: About validation_failed.');
  });

  it('does not read without end', async () => {
    portal.on(ME, { body: 'x'.repeat(5 * 1024 * 1024) });
    const { client } = await signedIn(portal);
    expect(String(await errorOf(client.me()))).toContain('too long');
  });

  it('does not even begin once aborted', async () => {
    const { client } = rig(portal);
    expect(await errorOf(client.verifyOnline('x', 'y', { signal: AbortSignal.abort() }))).toMatchObject({
      name: 'AbortError',
    });
    expect(portal.seen).toHaveLength(0);
  });
});
