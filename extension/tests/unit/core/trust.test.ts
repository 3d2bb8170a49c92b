import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnexpectedAnswer } from '../../../src/core/errors.js';
import { MemoryTextCache } from '../../../src/core/trust.js';
import { errorOf, rig } from '../../support/clients.js';
import { FakePortal, type Seen } from '../../support/fake-portal.js';
import {
  keyBody,
  LICENSE_ID,
  licenseFields,
  listFields,
  newSigner,
  signText,
} from '../../support/licenses.js';

const KEYS = 'GET /api/v1/licenses/public-keys';
const LIST = 'GET /api/v1/licenses/revocations';
const signer = newSigner();
const license = signText(licenseFields(), signer);

let portal: FakePortal;
beforeEach(async () => {
  portal = await FakePortal.start();
  portal.on(KEYS, tagged('"k1"', { keys: [keyBody(signer.key)] }));
  portal.on(LIST, tagged('"r1"', signText(listFields(), signer)));
});
afterEach(() => portal.stop());

function tagged(etag: string, body: unknown) {
  return (seen: Seen) =>
    seen.headers['if-none-match'] === etag
      ? { status: 304, headers: { ETag: etag } }
      : { body, headers: { ETag: etag } };
}

describe('offline', () => {
  it('fetches keys and list once, then asks nobody until the next list is due', async () => {
    const { client, clock } = rig(portal);
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID', isStale: false });
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID' });
    expect(portal.seen).toHaveLength(2);

    clock.advance(3600);
    portal.on(
      LIST,
      tagged(
        '"r2"',
        signText(
          listFields({ issuedAt: '2026-11-20T09:00:00Z', nextUpdate: '2026-11-20T10:00:00Z' }),
          signer,
        ),
      ),
    );
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID', isStale: false });
    expect(portal.calls(KEYS)[1]?.headers['if-none-match']).toBe('"k1"');
    expect(portal.calls(LIST)[1]?.headers['if-none-match']).toBe('"r1"');
  });

  it('goes on with what it knows when the portal is away, and says that it is old', async () => {
    const { client, clock } = rig(portal);
    await client.verifyOffline(license);
    portal.on(KEYS, { hangUp: true });
    clock.advance(3600);
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID', isStale: true });
  });

  it('waits for a portal that is away once a minute, and together', async () => {
    const { client, clock } = rig(portal);
    await client.verifyOffline(license);
    portal.on(KEYS, { hangUp: true });
    clock.advance(3600);
    const judge = () => client.verifyOffline(license);
    await Promise.all([judge(), judge()]);
    expect(await judge()).toMatchObject({ code: 'VALID', isStale: true });
    expect(portal.calls(KEYS)).toHaveLength(2);
    clock.advance(61);
    await judge();
    expect(portal.calls(KEYS)).toHaveLength(3);
  });

  it('knows the keys in each of the first questions, also in those at one time', async () => {
    const { client } = rig(portal);
    const verdicts = await Promise.all([1, 2].map(() => client.verifyOffline(license)));
    expect(verdicts.map((one) => one.code)).toEqual(['VALID', 'VALID']);
    expect(portal.seen).toHaveLength(2);
  });

  it('knows no key before the portal was ever reached', async () => {
    portal.on(KEYS, { hangUp: true });
    const { client } = rig(portal);
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'UNKNOWN_KEY', isStale: true });
    expect(portal.calls(KEYS)).toHaveLength(1);
    portal.on(KEYS, { body: { keys: [keyBody(signer.key)] } });
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID', isStale: false });
  });

  it('looks for a key it does not know, at most once a minute', async () => {
    const next = newSigner('lb-test-2');
    const newer = signText(licenseFields({ kid: 'lb-test-2' }), next);
    const { client, clock } = rig(portal);
    await client.verifyOffline(license);
    clock.advance(61);
    expect(await client.verifyOffline(newer)).toMatchObject({ code: 'UNKNOWN_KEY' });
    expect(await client.verifyOffline(newer)).toMatchObject({ code: 'UNKNOWN_KEY' });
    expect(portal.calls(KEYS)).toHaveLength(2);
    portal.on(KEYS, tagged('"k2"', { keys: [keyBody(signer.key), keyBody(next.key)] }));
    clock.advance(61);
    expect(await client.verifyOffline(newer)).toMatchObject({ code: 'VALID' });
  });

  it('keeps what it knows over restarts, for each portal apart', async () => {
    const cache = new MemoryTextCache();
    await rig(portal, { cache }).client.verifyOffline(license);
    expect(await rig(portal, { cache }).client.verifyOffline(license)).toMatchObject({ code: 'VALID' });
    expect(portal.seen).toHaveLength(2);

    const other = await FakePortal.start();
    other.on(KEYS, { hangUp: true });
    expect(await rig(other, { cache }).client.verifyOffline(license)).toMatchObject({ code: 'UNKNOWN_KEY' });
    await other.stop();
  });

  it('hears of a revocation by a refresh, though no new list is due', async () => {
    const { client } = rig(portal);
    await client.verifyOffline(license);
    const revoked = [{ id: LICENSE_ID, at: '2026-11-20T08:00:00Z', reason: 'refund' }];
    portal.on(LIST, tagged('"r2"', signText(listFields({ revoked }), signer)));
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID' });
    await client.trust.refresh();
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'REVOKED' });
  });
});

describe('a key that was revoked', () => {
  it('ends its licenses and the list it signed, though that seems newer than the true one', async () => {
    const next = newSigner('lb-test-2');
    const { client } = rig(portal);
    const forged = listFields({ issuedAt: '2027-01-01T08:00:00Z', nextUpdate: '2028-01-01T08:00:00Z' });
    portal.on(LIST, { body: signText(forged, signer) });
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'VALID' });

    portal.on(KEYS, { body: { keys: [keyBody({ ...signer.key, status: 'revoked' }), keyBody(next.key)] } });
    portal.on(LIST, { body: signText(listFields({ kid: 'lb-test-2' }), next) });
    const trust = await client.trust.refresh();
    expect(trust.revocations?.issuedAt).toBe('2026-11-20T08:00:00.000Z');
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'REVOKED', isStale: false });
  });
});

describe('a list that must not be believed', () => {
  it.each([
    ['signed by somebody else', signText(listFields(), newSigner())],
    ['a license', license],
    ['no list', 'hello'],
  ])('%s', async (_what, text) => {
    const { client } = rig(portal);
    await client.verifyOffline(license);
    portal.on(LIST, { body: text });
    expect(await errorOf(client.trust.refresh())).toBeInstanceOf(UnexpectedAnswer);
    expect((await client.trust.kept()).revocations?.issuedAt).toBe('2026-11-20T08:00:00.000Z');
  });

  it('an older one, which hides what was revoked since', async () => {
    const { client } = rig(portal);
    const revoked = [{ id: LICENSE_ID, at: '2026-11-20T08:00:00Z', reason: 'refund' }];
    portal.on(LIST, { body: signText(listFields({ revoked }), signer) });
    await client.trust.refresh();
    portal.on(LIST, { body: signText(listFields({ issuedAt: '2026-11-20T07:00:00Z' }), signer) });
    await client.trust.refresh();
    expect(await client.verifyOffline(license)).toMatchObject({ code: 'REVOKED' });
  });
});

it('asks the portal for its own verdict', async () => {
  portal.on('POST /api/v1/licenses/verify', {
    body: { valid: false, code: 'REVOKED', license: null, checked_at: '2026-11-20T08:00:00Z' },
  });
  expect(await rig(portal).client.verifyOnline(license, 'cpp-primer-5th')).toMatchObject({
    valid: false,
    code: 'REVOKED',
  });
  expect(JSON.parse(portal.seen[0]?.body ?? '')).toEqual({ key: license, course_id: 'cpp-primer-5th' });
});
