import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FakePortal,
  oauthError,
  problem,
  sessionBody,
  tokenReply,
  type Seen,
} from '../../support/fake-portal.js';
import { editor } from '../../support/fake-vscode.js';
import { flowRig, type FlowRig } from '../../support/flow.js';
import {
  keyBody,
  LICENSE_ID,
  licenseFields,
  listFields,
  newSigner,
  signText,
} from '../../support/licenses.js';

const COURSE = 'cpp-primer-5th';
const ID = '8k3hq2v9x0m4t7w1c5zr';
const PAGE = `http://127.0.0.1:8000/checkout/${ID}`;
const CREATE = 'POST /api/v1/payments/sessions';
const SESSION = `GET /api/v1/payments/sessions/${ID}`;
const CANCEL = 'POST /api/v1/payments/cancel';
const signer = newSigner();
const TEXT = signText(licenseFields(), signer);
const LICENSE = { id: 'l1', course_id: COURSE, key: TEXT, expires_at: '2027-11-20T08:00:00.000Z' };
const COMPLETED = sessionBody({ status: 'completed', code_url: null, qr_svg: null, license: LICENSE });

let portal: FakePortal;
beforeEach(async () => {
  portal = await FakePortal.start();
  portal.on(CREATE, { status: 201, body: sessionBody() });
  portal.on(SESSION, [{ body: sessionBody() }, { body: COMPLETED }]);
  portal.on('GET /api/v1/licenses/public-keys', { body: { keys: [keyBody(signer.key)] } });
  portal.on('GET /api/v1/licenses/revocations', { body: signText(listFields(), signer) });
});
afterEach(() => portal.stop());

function keptLicense({ secrets }: FlowRig): string | undefined {
  return secrets.texts.get(`learningBuddyPortal.license ${portal.url} ${COURSE}`);
}

describe('a purchase', () => {
  it('opens the page, waits, and keeps the license', async () => {
    const rig = await flowRig(portal);
    expect(await rig.flow.purchase(COURSE)).toEqual({ kind: 'completed', licenseId: 'l1' });
    expect(editor.opened).toEqual([PAGE]);
    expect(keptLicense(rig)).toBe(TEXT);
    expect(editor.progress).toContain('WeChat Pay: C++ Primer 5th Edition, ¥99.00');
    expect(editor.texts().at(-1)).toBe('Paid. Your license for C++ Primer 5th Edition is ready.');
  });

  it('never shows the license text', async () => {
    await (await flowRig(portal)).flow.purchase(COURSE);
    const all = JSON.stringify([
      editor.shown,
      editor.progress,
      editor.panels.map((panel) => panel.webview.html),
    ]);
    expect(all).not.toContain(TEXT.slice(0, 20));
  });

  it('shows the code here on request, and closes it at the end', async () => {
    const { flow, clock } = await flowRig(portal);
    editor.answer = (shown) => shown.buttons.find((button) => button === 'Show QR Code Here');
    let html = '';
    clock.onSleep = () => (html = editor.panels[0]?.webview.html ?? '');
    await flow.purchase(COURSE);
    expect(html).toContain('data:image/svg+xml;base64,');
    expect(editor.panels).toHaveLength(1);
    expect(editor.panels[0]?.isOpen).toBe(false);
    expect(editor.panels[0]?.options).toMatchObject({ enableScripts: false, localResourceRoots: [] });
  });

  it('shows no code after the end, however late that is asked for', async () => {
    const { flow } = await flowRig(portal);
    let press: () => void = () => undefined;
    const pressed = new Promise<void>((resolve) => (press = resolve));
    editor.answer = (shown) =>
      pressed.then(() => shown.buttons.find((button) => button === 'Show QR Code Here'));
    await flow.purchase(COURSE);
    press();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(editor.panels).toHaveLength(0);
  });

  it('shows the code by itself where no browser opens', async () => {
    const { flow } = await flowRig(portal);
    editor.opensPages = false;
    await flow.purchase(COURSE);
    expect(editor.panels).toHaveLength(1);
    expect(editor.texts()[0]).toContain(PAGE);
  });

  it('copies the address', async () => {
    const { flow } = await flowRig(portal);
    editor.answer = (shown) => shown.buttons.find((button) => button === 'Copy Address');
    await flow.purchase(COURSE);
    expect(editor.clipboard).toBe(PAGE);
  });

  it('joins a second click to the first', async () => {
    const { flow } = await flowRig(portal);
    await Promise.all([flow.purchase(COURSE), flow.purchase(COURSE)]);
    expect(portal.calls(CREATE)).toHaveLength(1);
    expect(editor.opened).toHaveLength(1);
  });

  it('speaks Chinese', async () => {
    const { flow } = await flowRig(portal, { language: 'zh-cn' });
    await flow.purchase(COURSE);
    expect(editor.texts().at(-1)).toContain('许可证已就绪');
  });

  it('keeps a license that cannot be verified yet, and says so', async () => {
    portal.on('GET /api/v1/licenses/public-keys', { hangUp: true });
    const rig = await flowRig(portal);
    expect(await rig.flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(keptLicense(rig)).toBe(TEXT);
    expect(editor.shown.at(-1)).toMatchObject({ level: 'warning' });
    expect(editor.texts().at(-1)).toContain('UNKNOWN_KEY');
  });
});

describe('the other ends', () => {
  it.each([
    ['failed', 'error', 'The portal says why.'],
    ['refunded', 'warning', 'The portal says why.'],
    ['cancelled', 'info', 'you were not charged'],
  ])('%s', async (status, level, text) => {
    portal.on(SESSION, { body: sessionBody({ status, message: 'The portal says why.' }) });
    expect(await (await flowRig(portal)).flow.purchase(COURSE)).toEqual({ kind: status });
    expect(editor.shown.at(-1)).toMatchObject({ level });
    expect(editor.texts().at(-1)).toContain(text);
  });

  it('revoked after it was paid', async () => {
    portal.on(SESSION, { body: sessionBody({ status: 'completed', message: 'It was revoked.' }) });
    expect(await (await flowRig(portal)).flow.purchase(COURSE)).toEqual({ kind: 'revoked' });
    expect(editor.texts().at(-1)).toBe('It was revoked.');
  });

  it('expired, and paid in the last second after all', async () => {
    portal.on(SESSION, [{ body: sessionBody({ status: 'expired' }) }, { body: COMPLETED }]);
    const { flow } = await flowRig(portal);
    editor.answer = (shown) => shown.buttons.find((button) => button === 'Check Again');
    expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
  });

  it('expired for good', async () => {
    portal.on(SESSION, { body: sessionBody({ status: 'expired' }) });
    expect(await (await flowRig(portal)).flow.purchase(COURSE)).toEqual({ kind: 'expired' });
  });

  it('already owned: the license is fetched', async () => {
    portal.on(CREATE, problem(409, 'already_owned', { license_id: 'l1' }));
    portal.on('GET /api/v1/licenses/l1', { body: ownedLicense() });
    const rig = await flowRig(portal);
    expect(await rig.flow.purchase(COURSE)).toEqual({ kind: 'already_owned', licenseId: 'l1' });
    expect(keptLicense(rig)).toBe(TEXT);
    expect(editor.texts().at(-1)).toContain('nothing to pay');
  });

  it('already owned, the license still being made', async () => {
    portal.on(CREATE, problem(409, 'already_owned', { license_id: null }));
    expect(await (await flowRig(portal)).flow.purchase(COURSE)).toEqual({
      kind: 'already_owned',
      licenseId: undefined,
    });
    expect(editor.texts().at(-1)).toContain('being made');
  });
});

describe('cancelling', () => {
  beforeEach(() => portal.on(SESSION, { body: sessionBody() }));

  /** A rig whose learner presses "Cancel" at the first wait. */
  async function impatient(presses = 1): Promise<FlowRig> {
    const rig = await flowRig(portal);
    let left = presses;
    rig.clock.onSleep = () => {
      if (left > 0) {
        left -= 1;
        editor.cancel();
      }
    };
    return rig;
  }

  it('cancels at the portal', async () => {
    portal.on(CANCEL, { body: sessionBody({ status: 'cancelled' }) });
    expect(await (await impatient()).flow.purchase(COURSE)).toEqual({ kind: 'cancelled' });
    expect(JSON.parse(portal.calls(CANCEL)[0]?.body ?? '')).toEqual({
      session_id: ID,
      reason: 'cancelled in the editor',
    });
  });

  it('delivers what was paid first', async () => {
    portal.on(CANCEL, problem(409, 'already_paid', { session: COMPLETED }));
    const rig = await impatient();
    expect(await rig.flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(keptLicense(rig)).toBe(TEXT);
  });

  it('waits for the license of what was paid first', async () => {
    portal.on(CANCEL, () => {
      portal.on(SESSION, { body: COMPLETED });
      return problem(409, 'already_paid', { session: sessionBody({ status: 'paid' }) });
    });
    expect(await (await impatient()).flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
  });

  it('waits for WeChat Pay to confirm, and may stop waiting', async () => {
    portal.on(CANCEL, { status: 202, body: sessionBody() });
    expect(await (await impatient(2)).flow.purchase(COURSE)).toEqual({ kind: 'left_open' });
    expect(editor.progress).toContain('Checking with WeChat Pay. Please do not pay again.');
    expect(editor.texts().at(-1)).toContain('stays open');
  });

  it('says when it cannot be confirmed', async () => {
    portal.on(CANCEL, { hangUp: true });
    expect(await (await impatient()).flow.purchase(COURSE)).toEqual({ kind: 'left_open' });
    expect(editor.texts().at(-1)).toContain('could not be confirmed');
  });
});

describe('outages', () => {
  it('says offline, and tries again with the same key', async () => {
    portal.on(CREATE, { hangUp: true });
    const { flow } = await flowRig(portal);
    editor.answer = (shown) => {
      portal.on(CREATE, { status: 201, body: sessionBody() });
      return shown.buttons.find((button) => button === 'Try Again');
    };
    expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(editor.texts()[0]).toContain('nothing is ordered twice');
    expect(new Set(portal.calls(CREATE).map((seen) => seen.headers['idempotency-key'])).size).toBe(1);
  });

  it('keeps the key for a later click too, and asks anew for a state that is repeated', async () => {
    portal.on(CREATE, { hangUp: true });
    const { flow } = await flowRig(portal);
    expect(await flow.purchase(COURSE)).toEqual({ kind: 'offline' });
    portal.on(CREATE, { status: 201, body: sessionBody(), headers: { 'Idempotency-Replayed': 'true' } });
    portal.on(SESSION, { body: COMPLETED });
    expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(new Set(portal.calls(CREATE).map((seen) => seen.headers['idempotency-key'])).size).toBe(1);
    expect(editor.opened).toEqual([]);
  });

  it.each([
    ['unavailable', problem(503, 'unavailable'), 'not available'],
    ['too_many', problem(429, 'too_many', {}, { 'Retry-After': '17' }), '17 s'],
    ['strange_answer', { body: '<html>' }, 'hotspot'],
    ['refused', problem(422, 'not_for_sale'), 'About not_for_sale. (request r-1)'],
    ['refused', problem(429, 'too_many_open_orders'), 'About too_many_open_orders.'],
  ])('says %s', async (kind, reply, text) => {
    portal.on(CREATE, reply);
    expect(await (await flowRig(portal)).flow.purchase(COURSE)).toEqual({ kind });
    expect(editor.shown.at(-1)).toMatchObject({ level: 'error' });
    expect(editor.texts().at(-1)).toContain(text);
  });

  it('goes on by itself when the line breaks while it waits', async () => {
    portal.on(SESSION, [{ body: sessionBody() }, { hangUp: true }, { body: COMPLETED }]);
    expect(await (await flowRig(portal)).flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(editor.progress.some((text) => text.startsWith('You are offline'))).toBe(true);
    expect(editor.progress.some((text) => text.startsWith('You are online again'))).toBe(true);
  });
});

describe('signing in', () => {
  beforeEach(() => {
    portal.on('POST /oauth/device_authorization', {
      body: {
        device_code: 'd',
        user_code: 'WDJB-MJHT',
        verification_uri: 'http://127.0.0.1:8000/device',
        verification_uri_complete: 'http://127.0.0.1:8000/device?user_code=WDJB-MJHT',
        expires_in: 600,
        interval: 5,
      },
    });
    portal.on('POST /oauth/token', [oauthError('authorization_pending'), tokenReply(1)]);
  });

  function opening(): void {
    editor.answer = (shown) => shown.buttons.find((button) => ['Open Browser', 'Sign In'].includes(button));
  }

  it('comes first, and shows the code', async () => {
    const { flow } = await flowRig(portal, { signedIn: false });
    opening();
    expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(editor.texts()[0]).toContain('WDJB-MJHT');
    expect(editor.progress[0]).toContain('WDJB-MJHT');
    expect(editor.opened).toEqual(['http://127.0.0.1:8000/device?user_code=WDJB-MJHT', PAGE]);
  });

  it('says where to go when no browser opens', async () => {
    const { flow } = await flowRig(portal, { signedIn: false });
    opening();
    editor.opensPages = false;
    expect(await flow.signIn()).toBe(true);
    expect(editor.texts()[1]).toBe(
      'The browser did not open. Go to http://127.0.0.1:8000/device and enter the code WDJB-MJHT.',
    );
    expect(editor.texts().at(-1)).toContain('signed in');
  });

  it('may be declined here without a word', async () => {
    const { flow } = await flowRig(portal, { signedIn: false });
    expect(await flow.purchase(COURSE)).toEqual({ kind: 'sign_in_cancelled' });
    expect(editor.shown).toHaveLength(1);
    expect(portal.calls(CREATE)).toHaveLength(0);
  });

  it('may be given up while it waits', async () => {
    const { flow, clock } = await flowRig(portal, { signedIn: false });
    opening();
    clock.onSleep = () => editor.cancel();
    expect(await flow.signIn()).toBe(false);
  });

  it.each([
    ['access_denied', 'sign_in_denied', 'refused'],
    ['expired_token', 'sign_in_expired', 'no longer valid'],
  ])('ends with %s', async (error, kind, text) => {
    portal.on('POST /oauth/token', oauthError(error));
    const { flow } = await flowRig(portal, { signedIn: false });
    opening();
    expect(await flow.purchase(COURSE)).toEqual({ kind });
    expect(editor.texts().at(-1)).toContain(text);
  });

  it('is done again when the editor was cut off, and the purchase goes on', async () => {
    portal.on('POST /oauth/token', (seen: Seen) =>
      seen.form.get('grant_type') === 'refresh_token' ? oauthError('invalid_grant') : tokenReply(2),
    );
    portal.on(SESSION, (seen) =>
      seen.headers.authorization === 'Bearer access-2'
        ? { body: COMPLETED }
        : problem(401, 'unauthenticated'),
    );
    const { flow } = await flowRig(portal);
    opening();
    expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
    expect(editor.texts().some((text) => text.startsWith('Your sign-in has ended'))).toBe(true);
  });

  it('asks for the permission that is lacking', async () => {
    portal.on('POST /oauth/token', tokenReply(2));
    portal.on(CREATE, (seen) =>
      seen.headers.authorization === 'Bearer access-2'
        ? { status: 201, body: sessionBody() }
        : problem(403, 'insufficient_scope'),
    );
    const { flow } = await flowRig(portal);
    opening();
    expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'completed' });
  });

  it('is ended by signing out; licenses stay', async () => {
    portal.on('POST /oauth/revoke', { body: {} });
    const rig = await flowRig(portal);
    await rig.flow.purchase(COURSE);
    await rig.flow.signOut();
    expect(await rig.client.isSignedIn()).toBe(false);
    expect(keptLicense(rig)).toBe(TEXT);
  });
});

describe('history and license status', () => {
  const item = (n: number): object => ({
    id: `order-${n}`,
    session_id: `order-${n}`,
    type: 'payment',
    status: 'completed',
    amount: 9900,
    currency: 'CNY',
    payment_method: 'wechat_pay',
    product: { id: COURSE, kind: 'course', title: `C++ ${n}` },
    transaction_id: null,
    created_at: '2026-11-20T08:00:00.000Z',
    paid_at: null,
    license_id: null,
  });

  it('lists purchases page by page and opens the one chosen', async () => {
    portal.on('GET /api/v1/payments/transactions', (seen) => {
      const page = Number(seen.query.get('page'));
      const items = page === 1 ? Array.from({ length: 20 }, (_, n) => item(n)) : [item(20)];
      return { body: { items, page, limit: 20, total: 21 } };
    });
    const { flow } = await flowRig(portal);
    editor.pick = (lines) => lines.at(-1);
    await flow.showHistory();
    expect(editor.picks.map((lines) => lines.length)).toEqual([21, 21]);
    expect(editor.picks[0]?.[0]).toMatchObject({ label: 'C++ 0', description: '¥99.00 · Completed' });
    expect(editor.opened).toEqual([`${portal.url}/checkout/order-20`]);
  });

  it('says that there is nothing yet', async () => {
    portal.on('GET /api/v1/payments/transactions', { body: { items: [], page: 1, limit: 20, total: 0 } });
    await (await flowRig(portal)).flow.showHistory();
    expect(editor.texts()).toEqual(['There are no purchases yet.']);
  });

  it('says how a license stands', async () => {
    const rig = await flowRig(portal);
    await rig.flow.purchase(COURSE);
    await rig.flow.showLicenseStatus(COURSE);
    expect(editor.texts().at(-1)).toContain('The license is valid until 2027-11-20');

    portal.on('GET /api/v1/licenses', { body: { items: [] } });
    rig.clock.advance(366 * 24 * 3600);
    await rig.flow.showLicenseStatus(COURSE);
    expect(editor.shown.at(-1)).toMatchObject({
      text: 'The license has expired.',
      buttons: ['Buy', 'Purchases'],
    });
  });

  it('hears of a revocation when asked, though no new list is due', async () => {
    const rig = await flowRig(portal);
    await rig.flow.purchase(COURSE);
    const revoked = [{ id: LICENSE_ID, at: '2026-11-20T08:05:00.000Z', reason: 'refund' }];
    const list = listFields({ issuedAt: '2026-11-20T08:05:00.000Z', revoked });
    portal.on('GET /api/v1/licenses/revocations', { body: signText(list, signer) });
    await rig.flow.showLicenseStatus(COURSE);
    expect(editor.texts().at(-1)).toContain('was revoked');
  });

  it('says that offline it may be out of date', async () => {
    const rig = await flowRig(portal);
    await rig.flow.purchase(COURSE);
    portal.on('GET /api/v1/licenses/public-keys', { hangUp: true });
    rig.clock.advance(2 * 3600);
    await rig.flow.showLicenseStatus(COURSE);
    expect(editor.texts().at(-1)).toContain('offline');
  });

  it('finds a license in the account that is missing here', async () => {
    portal.on('GET /api/v1/licenses', { body: { items: [ownedLicense()] } });
    const rig = await flowRig(portal);
    expect(await rig.flow.licenseStatus(COURSE)).toMatchObject({ code: 'VALID' });
    expect(keptLicense(rig)).toBe(TEXT);
  });

  it('says that there is none, and sells one', async () => {
    const { flow } = await flowRig(portal, { signedIn: false });
    expect(await flow.licenseStatus(COURSE)).toBeUndefined();
    await flow.showLicenseStatus(COURSE);
    expect(editor.texts().at(-1)).toContain('no license');
  });
});

function ownedLicense(): object {
  return {
    id: 'l1',
    course_id: COURSE,
    status: 'active',
    issued_at: '2026-11-20T08:00:00.000Z',
    expires_at: '2027-11-20T08:00:00.000Z',
    order_id: ID,
    key: TEXT,
  };
}
