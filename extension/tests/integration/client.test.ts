import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AlreadyOwned, AlreadyPaid, PortalProblem, SignInRequired } from '../../src/core/errors.js';
import { PortalClient, type PortalClientOptions } from '../../src/core/portal-client.js';
import { MemoryTokenStore } from '../../src/core/tokens.js';
import type { Session } from '../../src/core/types.js';
import { errorOf } from '../support/clients.js';
import type { Learner } from '../support/learner.js';
import { RunningPortal } from '../support/running-portal.js';

const COURSE = 'cpp-primer-5th';

let portal: RunningPortal;
let ada: Learner;
const tokens = new MemoryTokenStore();
let client: PortalClient;

beforeAll(async () => {
  portal = await RunningPortal.start();
  ada = await portal.learner();
  client = clientWith({ tokens, deviceName: 'VS Code · 测试机' });
});
afterAll(() => portal?.stop());

function clientWith(more: Partial<PortalClientOptions> = {}): PortalClient {
  return new PortalClient({ baseUrl: portal.url, language: 'en', ...more });
}

/** A client of a new learner, with a token from the command line. */
async function newcomer(): Promise<PortalClient> {
  const { email } = await portal.learner();
  const store = new MemoryTokenStore();
  const accessToken = await portal.token(email);
  await store.save({ accessToken, refreshToken: 'none', expiresAt: Date.now() + 3_600_000, scope: '' });
  return clientWith({ tokens: store });
}

/** Sends a form to the token endpoint, as no well-behaved client would. */
async function askForTokens(form: Record<string, string>): Promise<{ status: number; error: string }> {
  const response = await fetch(`${portal.url}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'learning-buddy-vscode', ...form }),
  });
  const body = (await response.json()) as { error?: string };
  return { status: response.status, error: body.error ?? '' };
}

function deviceGrant(deviceCode: string): Record<string, string> {
  return { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: deviceCode };
}

async function paid(opened: Session): Promise<Session> {
  await portal.pay(opened.codeUrl ?? '');
  return client.watchSession(opened.id);
}

describe('device login', () => {
  it('signs in once the learner has allowed it, and never again with that code', async () => {
    const code = await client.startSignIn();
    expect(code.userCode).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
    const signedIn = client.finishSignIn(code);
    await ada.decide(code.verificationUriComplete, 'allow');
    await signedIn;
    expect(await client.me()).toMatchObject({ email: ada.email, role: 'learner' });
    expect(await ada.page('/account/devices')).toContain('VS Code · 测试机');
    expect(await askForTokens(deviceGrant(code.deviceCode))).toEqual({ status: 400, error: 'invalid_grant' });
  });

  it('is told to slow down, and ends when the learner refuses', async () => {
    const other = clientWith();
    const code = await other.startSignIn();
    expect((await askForTokens(deviceGrant(code.deviceCode))).error).toBe('authorization_pending');
    expect((await askForTokens(deviceGrant(code.deviceCode))).error).toBe('slow_down');
    await ada.decide(code.verificationUriComplete, 'deny');
    // Asked too soon, the portal wants ten seconds; the client learns that by itself.
    expect(await errorOf(other.finishSignIn(code))).toMatchObject({ reason: 'access_denied' });
    expect(await other.isSignedIn()).toBe(false);
  });

  it('renews its tokens, once for many calls', async () => {
    const before = await tokens.load();
    await tokens.save({ ...before!, expiresAt: 0 });
    await Promise.all(Array.from({ length: 8 }, () => client.me()));
    const after = await tokens.load();
    expect(after?.refreshToken).not.toBe(before?.refreshToken);
    expect(after?.expiresAt).toBeGreaterThan(Date.now() + 3_000_000);
  });
});

describe('the catalogue', () => {
  it('is open to everybody, and knows what a learner owns', async () => {
    const courses = await clientWith().courses();
    expect(courses.find((one) => one.id === COURSE)).toMatchObject({
      amount: 9900,
      currency: 'CNY',
      owned: false,
    });
    expect(await clientWith({ language: 'zh-CN' }).course(COURSE)).toMatchObject({
      title: 'C++ Primer 第五版',
    });
    expect((await client.courses('primer')).map((one) => one.id)).toEqual([COURSE]);
    expect(await errorOf(client.course('no-such-course'))).toMatchObject({ status: 404, code: 'not_found' });
    expect(await client.paymentMethods()).toMatchObject([
      { id: 'wechat_pay', available: true },
      { id: 'transfer', available: true },
    ]);
  });
});

describe('a purchase', () => {
  it('is one open session, however often it is asked for', async () => {
    const first = await client.createSession(COURSE, { idempotencyKey: 'wish-1' });
    const again = await client.createSession(COURSE, { idempotencyKey: 'wish-1' });
    const another = await client.createSession(COURSE);
    expect(first).toMatchObject({ isNew: true, isReplay: false });
    expect(again).toMatchObject({ isReplay: true });
    expect(another).toMatchObject({ isNew: false, isReplay: false });
    expect(new Set([first, again, another].map((one) => one.session.codeUrl)).size).toBe(1);
    expect(first.session.codeUrl).toMatch(/^weixin:\/\//);
    expect(first.session.qrSvg).toContain('<svg');
    const mismatch = client.createSession('react-complete', { idempotencyKey: 'wish-1' });
    expect(await errorOf(mismatch)).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
  });

  it('shows the code of the page, and polls without a body', async () => {
    const { session } = await client.createSession(COURSE);
    expect(await ada.page(new URL(session.paymentUrl).pathname)).toContain('<svg');
    const statuses: number[] = [];
    const watching = clientWith({
      tokens,
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        statuses.push(response.status);
        return response;
      },
    });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 5_000);
    expect(await errorOf(watching.watchSession(session.id, { signal: stop.signal }))).toMatchObject({
      name: 'AbortError',
    });
    expect(statuses.slice(0, 2)).toEqual([200, 304]);
  });

  it('brings the license within poll_after and a second of the payment, through a restart of the portal', async () => {
    const { session } = await client.createSession(COURSE);
    const connection: string[] = [];
    const done = client.watchSession(session.id, { onConnection: (state) => connection.push(state) });
    await portal.restart(() => new Promise((resolve) => setTimeout(resolve, 3_000)));
    await expect.poll(() => connection, { timeout: 20_000 }).toEqual(['lost', 'back']);

    const began = Date.now();
    await portal.pay(session.codeUrl ?? '');
    const final = await done;
    const seconds = (Date.now() - began) / 1000;
    expect(final).toMatchObject({ status: 'completed', codeUrl: undefined, license: { courseId: COURSE } });
    expect(seconds).toBeLessThan(session.pollAfter + 1);

    expect(await client.verifyOffline(final.license?.key ?? '', COURSE)).toMatchObject({
      code: 'VALID',
      isStale: false,
    });
    expect(await client.verifyOffline(final.license?.key ?? '', 'react-complete')).toMatchObject({
      code: 'COURSE_MISMATCH',
    });
    expect(await errorOf(client.createSession(COURSE))).toBeInstanceOf(AlreadyOwned);
    expect(await client.course(COURSE)).toMatchObject({ owned: true });
  });

  it('is in the history and among the licenses', async () => {
    const history = await client.transactions({ status: 'completed', limit: 5 });
    expect(history).toMatchObject({ total: 1, items: [{ status: 'completed', amount: 9900 }] });
    const [license] = await client.licenses();
    expect(license).toMatchObject({ courseId: COURSE, status: 'active', orderId: history.items[0]?.id });
    expect(await client.license(license?.id ?? '')).toEqual(license);
    expect(history.items[0]?.licenseId).toBe(license?.id);
  });
});

describe('a license', () => {
  it('gets the same verdict offline and from the portal, whatever is done to it', async () => {
    const [license] = await client.licenses();
    const text = license?.key ?? '';
    const [b64 = '', signature = ''] = text.split('|');
    const otherKid = Buffer.from(JSON.stringify({ kid: 'nobody' })).toString('base64');
    const list = await (await fetch(`${portal.url}/api/v1/licenses/revocations`)).text();
    const cases: [string, string | undefined][] = [
      [text, COURSE],
      [text, undefined],
      [text, 'react-complete'],
      [`${b64}|${signature.slice(4)}`, COURSE],
      [`${b64}|${Buffer.alloc(384, 1).toString('base64')}`, COURSE],
      [`${Buffer.from(`${Buffer.from(b64, 'base64').toString()} `).toString('base64')}|${signature}`, COURSE],
      [`${otherKid}|${signature}`, COURSE],
      [b64, COURSE],
      [`${text}|`, COURSE],
      [`x${text}`, COURSE],
      ['hello', undefined],
    ];
    for (const [candidate, course] of cases) {
      const online = await client.verifyOnline(candidate, course);
      expect(await client.verifyOffline(candidate, course), candidate.slice(0, 40)).toMatchObject({
        valid: online.valid,
        code: online.code,
      });
    }
    expect((await client.verifyOffline(list)).valid).toBe(false);
    expect((await client.verifyOnline(list)).valid).toBe(false);
  });

  it('is good under a key that was rotated since, and so is the next one', async () => {
    const [license] = await client.licenses();
    await portal.flask(['license-keys', 'rotate']);
    await client.trust.refresh();
    expect(await client.verifyOffline(license?.key ?? '')).toMatchObject({ code: 'VALID' });
    const { session } = await client.createSession('react-complete');
    const final = await paid(session);
    expect(await client.verifyOffline(final.license?.key ?? '')).toMatchObject({ code: 'VALID' });
    const kids = (await client.trust.kept()).keys.map((key) => key.status);
    expect(kids.sort()).toEqual(['active', 'verify_only']);
  });

  it('is reported revoked once the list is fetched anew', async () => {
    const license = (await client.licenses()).find((one) => one.courseId === COURSE);
    const text = license?.key ?? '';
    await portal.flask(['licenses', 'revoke', license?.id ?? '', '--reason', 'chargeback']);
    expect(await client.verifyOffline(text)).toMatchObject({ code: 'VALID' });
    await client.trust.refresh();
    expect(await client.verifyOffline(text)).toMatchObject({
      code: 'REVOKED',
      revocation: { reason: 'chargeback' },
    });
    expect(await client.verifyOnline(text)).toMatchObject({ code: 'REVOKED' });
    expect(await client.license(license?.id ?? '')).toMatchObject({ status: 'revoked', key: undefined });
  });
});

describe('cancelling', () => {
  it('cancels, and lets the learner begin anew', async () => {
    const learner = await newcomer();
    const { session } = await learner.createSession(COURSE);
    expect(await learner.cancelSession(session.id, 'changed my mind')).toMatchObject({ status: 'cancelled' });
    expect(await learner.cancelSession(session.id, 'again')).toMatchObject({ status: 'cancelled' });
    await expect(portal.pay(session.codeUrl ?? '')).rejects.toThrow('409');
    expect((await learner.createSession(COURSE)).session.id).not.toBe(session.id);
  });

  it('comes too late for what is paid', async () => {
    const learner = await newcomer();
    const { session } = await learner.createSession(COURSE);
    await portal.pay(session.codeUrl ?? '');
    await learner.watchSession(session.id);
    const error = await errorOf(learner.cancelSession(session.id, 'too late'));
    expect(error).toBeInstanceOf(AlreadyPaid);
    expect(error).toMatchObject({ code: 'already_paid', session: { id: session.id, status: 'completed' } });
  });

  it('never wins against a payment, though the portal has not heard of that yet', async () => {
    const learner = await newcomer();
    const { session } = await learner.createSession(COURSE);
    await portal.pay(session.codeUrl ?? '');
    await expect(learner.cancelSession(session.id, 'at that moment')).rejects.toBeInstanceOf(AlreadyPaid);
    expect(await learner.watchSession(session.id)).toMatchObject({
      status: 'completed',
      license: { courseId: COURSE },
    });
  });
});

describe('what is another’s', () => {
  it('is as absent as what never was', async () => {
    const stranger = await newcomer();
    const [history, [license]] = await Promise.all([client.transactions(), client.licenses()]);
    const id = history.items[0]?.id ?? '';
    for (const call of [
      () => stranger.session(id),
      () => stranger.session('0'.repeat(20)),
      () => stranger.session('../me'),
      () => stranger.cancelSession(id, 'not mine'),
      () => stranger.license(license?.id ?? ''),
    ]) {
      const error = await errorOf(call());
      expect(error).toBeInstanceOf(PortalProblem);
      expect(error).toMatchObject({ status: 404, code: 'not_found' });
    }
    const sameKey = await stranger.createSession(COURSE, { idempotencyKey: 'wish-1' });
    expect(sameKey).toMatchObject({ isNew: true, isReplay: false });
  });
});

describe('the end of a sign-in', () => {
  it('comes at the learner’s wish, in the middle of a poll', async () => {
    const editor = clientWith({ tokens: new MemoryTokenStore() });
    const code = await editor.startSignIn();
    const signedIn = editor.finishSignIn(code);
    await ada.decide(code.verificationUriComplete, 'allow');
    await signedIn;
    const { session } = await editor.createSession('javascript-complete');
    const watching = errorOf(editor.watchSession(session.id));
    expect(await ada.disconnectEditors()).toBeGreaterThan(0);
    expect(await watching).toBeInstanceOf(SignInRequired);
    expect(await editor.isSignedIn()).toBe(false);
  });

  it('comes for everybody when a refresh token is used twice', async () => {
    const store = new MemoryTokenStore();
    const editor = clientWith({ tokens: store });
    const code = await editor.startSignIn();
    const signedIn = editor.finishSignIn(code);
    await ada.decide(code.verificationUriComplete, 'allow');
    await signedIn;
    const first = await store.load();
    await store.save({ ...first!, expiresAt: 0 });
    await editor.me();
    const stolen = { grant_type: 'refresh_token', refresh_token: first?.refreshToken ?? '' };
    expect(await askForTokens(stolen)).toEqual({ status: 400, error: 'invalid_grant' });
    expect(await errorOf(editor.me())).toBeInstanceOf(SignInRequired);
    expect(await editor.isSignedIn()).toBe(false);
  });
});

describe('a portal in trouble', () => {
  it('gives the code later when WeChat Pay is away', async () => {
    const learner = await newcomer();
    await portal.sandbox('/control/faults', { route: 'create', kind: '5xx', times: 1 });
    const { session } = await learner.createSession(COURSE);
    expect(session).toMatchObject({ status: 'pending', codeUrl: undefined, qrSvg: undefined });
    expect(session.message).toContain('WeChat Pay');
  });
});
