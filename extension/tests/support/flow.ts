import type { SecretStorage } from 'vscode';
import { PortalClient } from '../../src/core/portal-client.js';
import { MemoryTokenStore } from '../../src/core/tokens.js';
import { LicenseStore } from '../../src/vscode/storage.js';
import { WeChatPayFlow } from '../../src/vscode/wechat-pay-flow.js';
import { wordsFor } from '../../src/vscode/words.js';
import { tokensUntil } from './clients.js';
import type { FakePortal } from './fake-portal.js';
import { editor, FakeSecrets } from './fake-vscode.js';
import { TestClock } from './test-clock.js';

/** A flow over a fake portal and a fake editor. */
export interface FlowRig {
  readonly flow: WeChatPayFlow;
  readonly client: PortalClient;
  readonly secrets: FakeSecrets;
  readonly clock: TestClock;
  readonly tokens: MemoryTokenStore;
}

export async function flowRig(
  portal: FakePortal,
  options: { signedIn?: boolean; language?: string } = {},
): Promise<FlowRig> {
  editor.reset();
  const clock = new TestClock();
  const tokens = new MemoryTokenStore();
  if (options.signedIn !== false) {
    await tokens.save(tokensUntil(clock.now() + 3_600_000));
  }
  const secrets = new FakeSecrets();
  const client = new PortalClient({ baseUrl: portal.url, clock, tokens, language: 'en' });
  const licenses = new LicenseStore(secrets as unknown as SecretStorage, client.origin);
  const flow = new WeChatPayFlow({ client, licenses, words: wordsFor(options.language ?? 'en') });
  return { flow, client, secrets, clock, tokens };
}
