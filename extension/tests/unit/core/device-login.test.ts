import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeviceLoginFailed, PortalProblem } from '../../../src/core/errors.js';
import { errorOf, rig } from '../../support/clients.js';
import { FakePortal, oauthError, problem, tokenReply, type Reply } from '../../support/fake-portal.js';

const AUTHORIZE = 'POST /oauth/device_authorization';
const TOKEN = 'POST /oauth/token';
const CODE = {
  device_code: 'device-secret',
  user_code: 'WDJB-MJHT',
  verification_uri: 'http://127.0.0.1:8000/device',
  verification_uri_complete: 'http://127.0.0.1:8000/device?user_code=WDJB-MJHT',
  expires_in: 600,
  interval: 5,
};

let portal: FakePortal;
beforeEach(async () => {
  portal = await FakePortal.start();
  portal.on(AUTHORIZE, { body: CODE });
});
afterEach(() => portal.stop());

describe('starting', () => {
  it('asks for all scopes as the extension, and says what the editor calls itself', async () => {
    const { client, clock } = rig(portal, { deviceName: 'VS Code · desk-7' });
    const code = await client.startSignIn();
    expect(Object.fromEntries(portal.calls(AUTHORIZE)[0]?.form ?? [])).toEqual({
      client_id: 'learning-buddy-vscode',
      scope: 'catalog purchase licenses',
      device_name: 'VS Code · desk-7',
    });
    expect(code).toEqual({
      deviceCode: 'device-secret',
      userCode: 'WDJB-MJHT',
      verificationUri: CODE.verification_uri,
      verificationUriComplete: CODE.verification_uri_complete,
      expiresAt: clock.now() + 600_000,
      interval: 5,
    });
  });

  it('waits five seconds where the portal names no interval', async () => {
    portal.on(AUTHORIZE, { body: { ...CODE, interval: undefined, verification_uri_complete: undefined } });
    const code = await rig(portal).client.startSignIn();
    expect(code).toMatchObject({ interval: 5, verificationUriComplete: CODE.verification_uri });
  });

  it('opens no address but a safe one', async () => {
    for (const address of [
      'file:///etc/passwd',
      'vscode://x',
      'http://portal.example/device',
      'javascript:1',
    ]) {
      portal.on(AUTHORIZE, { body: { ...CODE, verification_uri: address } });
      await expect(rig(portal).client.startSignIn()).rejects.toThrow('verification_uri');
    }
  });
});

describe('waiting', () => {
  async function finish(
    replies: readonly Reply[],
  ): Promise<{ sleeps: number[]; error?: unknown; signedIn: boolean }> {
    portal.on(TOKEN, replies);
    const { client, clock } = rig(portal);
    const work = client.finishSignIn(await client.startSignIn());
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return { sleeps: clock.sleeps, error, signedIn: await client.isSignedIn() };
  }

  it('asks every interval until the learner has allowed it', async () => {
    const pending = oauthError('authorization_pending');
    const { sleeps, error, signedIn } = await finish([pending, pending, tokenReply(1)]);
    expect(error).toBeUndefined();
    expect(signedIn).toBe(true);
    expect(sleeps).toEqual([5, 5, 5]);
    expect(Object.fromEntries(portal.calls(TOKEN)[0]?.form ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: 'device-secret',
      client_id: 'learning-buddy-vscode',
    });
  });

  it('slows down by five seconds each time it is told to, and stays slow', async () => {
    const slow = oauthError('slow_down');
    const { sleeps } = await finish([slow, slow, oauthError('authorization_pending'), tokenReply(1)]);
    expect(sleeps).toEqual([5, 10, 15, 15]);
  });

  it('ends when the learner says no', async () => {
    const { error, signedIn } = await finish([
      oauthError('authorization_pending'),
      oauthError('access_denied'),
    ]);
    expect(error).toBeInstanceOf(DeviceLoginFailed);
    expect(error).toMatchObject({ reason: 'access_denied' });
    expect(signedIn).toBe(false);
  });

  it.each(['expired_token', 'invalid_grant'])('ends when the portal says %s', async (code) => {
    expect((await finish([oauthError(code)])).error).toMatchObject({ reason: 'expired_token' });
  });

  it('ends by its own clock, without another question', async () => {
    const { error, sleeps } = await finish([oauthError('authorization_pending')]);
    expect(error).toMatchObject({ reason: 'expired_token' });
    expect(sleeps).toHaveLength(120);
    expect(portal.calls(TOKEN)).toHaveLength(119);
  });

  it('asks less and less often while there is no answer', async () => {
    const { sleeps, signedIn } = await finish([{ hangUp: true }, { hangUp: true }, tokenReply(1)]);
    expect(signedIn).toBe(true);
    expect(sleeps).toEqual([5, 10, 20]);
  });

  it('goes on through an outage of the portal', async () => {
    const away = problem(503, 'unavailable', {}, { 'Retry-After': '9' });
    const { sleeps, signedIn } = await finish([away, { status: 502, body: '<html>' }, tokenReply(1)]);
    expect(signedIn).toBe(true);
    expect(sleeps).toEqual([5, 9, 9]);
  });

  it('does not go on where that is of no use', async () => {
    const { error } = await finish([oauthError('invalid_client', 401)]);
    expect(error).toBeInstanceOf(PortalProblem);
    expect(error).toMatchObject({ code: 'invalid_client', status: 401 });
  });

  it('ends at once when it is aborted', async () => {
    portal.on(TOKEN, oauthError('authorization_pending'));
    const { client, clock } = rig(portal);
    const stop = new AbortController();
    clock.onSleep = () => (clock.sleeps.length === 3 ? stop.abort(new Error('enough')) : undefined);
    const code = await client.startSignIn();
    expect(await errorOf(client.finishSignIn(code, { signal: stop.signal }))).toEqual(new Error('enough'));
    expect(portal.calls(TOKEN)).toHaveLength(2);
  });
});
