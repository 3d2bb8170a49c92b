import * as vscode from 'vscode';
import { isAbort } from '../core/errors.js';
import type { DeviceCode } from '../core/device-login.js';
import type { PortalClient } from '../core/portal-client.js';
import { SignInCancelled } from './outcome.js';
import type { Words } from './words.js';

/**
 * Signs in by device login: shows the code, opens the page, waits.
 *
 * @throws {SignInCancelled} the learner does not want to
 * @throws {DeviceLoginFailed} refused in the browser, or nobody answered in time
 */
export async function signInWithDevice(client: PortalClient, words: Words): Promise<void> {
  const code = await client.startSignIn();
  const question = { modal: true, detail: words.signInDetail };
  const answer = await vscode.window.showInformationMessage(
    words.signInAsk(code.userCode),
    question,
    words.openBrowser,
  );
  if (answer === undefined) {
    throw new SignInCancelled();
  }
  await openPage(code, words);
  await waitForConsent(client, code, words);
}

async function openPage(code: DeviceCode, words: Words): Promise<void> {
  if (await vscode.env.openExternal(vscode.Uri.parse(code.verificationUriComplete, true))) {
    return;
  }
  // Remote windows and containers may have no browser: the learner goes there by hand.
  const message = words.signInByHand(code.userCode, code.verificationUri);
  void vscode.window.showWarningMessage(message, words.copyAddress).then((choice) => {
    if (choice === words.copyAddress) {
      void vscode.env.clipboard.writeText(code.verificationUriComplete);
    }
  });
}

async function waitForConsent(client: PortalClient, code: DeviceCode, words: Words): Promise<void> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: words.signInWait(code.userCode),
    cancellable: true,
  };
  await vscode.window.withProgress(options, async (_progress, token) => {
    const stop = new AbortController();
    token.onCancellationRequested(() => stop.abort());
    try {
      await client.finishSignIn(code, { signal: stop.signal });
    } catch (error) {
      throw isAbort(error, stop.signal) ? new SignInCancelled() : error;
    }
  });
}
