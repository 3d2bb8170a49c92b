/** The VS Code layer: everything here needs an editor; the core does not. */
import { hostname } from 'node:os';
import * as vscode from 'vscode';
import { PortalClient } from '../core/portal-client.js';
import { LicenseStore, MementoCache, SecretTokenStore } from './storage.js';
import { WeChatPayFlow } from './wechat-pay-flow.js';
import { portalLanguage, wordsFor } from './words.js';

export type { FailureKind, PurchaseOutcome } from './outcome.js';
export { LicenseStore, MementoCache, SecretTokenStore } from './storage.js';
export { WeChatPayFlow, type WeChatPayFlowParts } from './wechat-pay-flow.js';
export { wordsFor, type Words } from './words.js';

/** The longest name of an editor that the portal keeps. */
const LONGEST_NAME = 80;

/**
 * Makes the flow for an extension: tokens and licenses in its SecretStorage, keys and revocation list in its
 * `globalState`, words in the editor's language.
 *
 * @param baseUrl the portal's origin, `https://…`
 */
export function createWeChatPayFlow(context: vscode.ExtensionContext, baseUrl: string): WeChatPayFlow {
  const { origin } = new URL(baseUrl);
  const lock = vscode.Uri.joinPath(context.globalStorageUri, 'portal-tokens.lock').fsPath;
  const version = String((context.extension.packageJSON as { version?: unknown }).version ?? '0');
  const client = new PortalClient({
    baseUrl,
    tokens: new SecretTokenStore(context.secrets, origin, lock),
    cache: new MementoCache(context.globalState),
    language: portalLanguage(vscode.env.language),
    deviceName: `${vscode.env.appName} · ${hostname()}`.slice(0, LONGEST_NAME),
    userAgent: `${context.extension.id}/${version}`,
  });
  return new WeChatPayFlow({
    client,
    licenses: new LicenseStore(context.secrets, origin),
    words: wordsFor(vscode.env.language),
  });
}
