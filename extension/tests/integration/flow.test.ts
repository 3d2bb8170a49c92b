import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExtensionContext } from 'vscode';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createWeChatPayFlow, type WeChatPayFlow } from '../../src/vscode/index.js';
import { editor, env, FakeMemento, FakeSecrets, Uri } from '../support/fake-vscode.js';
import type { Learner } from '../support/learner.js';
import { RunningPortal } from '../support/running-portal.js';

const COURSE = 'cpp-primer-5th';

let portal: RunningPortal;
let ada: Learner;
let folder: string;
let flow: WeChatPayFlow;
const secrets = new FakeSecrets();

beforeAll(async () => {
  portal = await RunningPortal.start();
  ada = await portal.learner();
  folder = await mkdtemp(join(tmpdir(), 'portal-client-'));
  const context = {
    secrets,
    globalState: new FakeMemento(),
    globalStorageUri: Uri.file(folder),
    extension: { id: 'learning-buddy.example', packageJSON: { version: '1.0.0' } },
  } as unknown as ExtensionContext;
  flow = createWeChatPayFlow(context, portal.url);
});
afterAll(async () => {
  await portal?.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => editor.reset());

/** Waits until the learner has been sent to a page of this kind, and returns its address. */
async function openedPage(path: string): Promise<URL> {
  const find = (): string | undefined => editor.opened.find((one) => new URL(one).pathname.startsWith(path));
  await expect.poll(find, { timeout: 20_000 }).toBeDefined();
  return new URL(find() ?? '');
}

it('buys: signs in, opens the page, waits, keeps the license', async () => {
  editor.answer = (shown) =>
    shown.buttons.find((button) => ['Open Browser', 'Show QR Code Here'].includes(button));
  const purchase = flow.purchase(COURSE);
  await ada.decide((await openedPage('/device')).href, 'allow');
  expect(await ada.page((await openedPage('/checkout/')).pathname)).toContain('<svg');
  await expect.poll(() => editor.panels[0]?.webview.html).toContain('data:image/svg+xml;base64,');
  await portal.payNewest();
  expect(await purchase).toMatchObject({ kind: 'completed' });
  expect(editor.panels[0]?.isOpen).toBe(false);
  expect(editor.texts().at(-1)).toBe('Paid. Your license for C++ Primer 5th Edition is ready.');
  expect([...secrets.texts.keys()].sort()).toEqual([
    `learningBuddyPortal.license ${portal.url} ${COURSE}`,
    `learningBuddyPortal.tokens ${portal.url}`,
  ]);
});

it('says that it is owned, and how the license stands', async () => {
  expect(await flow.purchase(COURSE)).toMatchObject({ kind: 'already_owned' });
  await flow.showLicenseStatus(COURSE);
  expect(editor.texts().at(-1)).toContain('The license is valid until');
});

it('finds the license again where the keychain was emptied', async () => {
  secrets.texts.delete(`learningBuddyPortal.license ${portal.url} ${COURSE}`);
  expect(await flow.licenseStatus(COURSE)).toMatchObject({ code: 'VALID' });
});

it('cancels at WeChat Pay, in Chinese', async () => {
  env.language = 'zh-cn';
  const purchase = flow.purchase('react-complete');
  await openedPage('/checkout/');
  await expect.poll(() => editor.progress.length, { timeout: 20_000 }).toBeGreaterThan(2);
  editor.cancel();
  expect(await purchase).toEqual({ kind: 'cancelled' });
  await expect(portal.payNewest()).rejects.toThrow('409');
});

it('shows both in the history, and opens the page of the one chosen', async () => {
  editor.pick = (lines) => lines[0];
  await flow.showHistory();
  expect(editor.picks[0]?.map((line) => line.description)).toEqual([
    '¥149.00 · Cancelled',
    '¥99.00 · Completed',
  ]);
  expect(await ada.page((await openedPage('/checkout/')).pathname)).toContain('React');
});

it('tells of a revocation', async () => {
  const verdict = await flow.licenseStatus(COURSE);
  await portal.flask(['licenses', 'revoke', verdict?.license?.id ?? '', '--reason', 'chargeback']);
  await flow.showLicenseStatus(COURSE);
  expect(editor.texts().at(-1)).toContain('was revoked');
});
