import * as vscode from 'vscode';
import type { PortalClient } from '../core/portal-client.js';
import type { SessionStatus, Transaction } from '../core/types.js';
import { localTime, price, type Words } from './words.js';

/** Lines that are fetched at a time. */
const PAGE = 20;

interface HistoryItem extends vscode.QuickPickItem {
  /** `undefined`: the line that asks for more. */
  readonly transaction: Transaction | undefined;
}

/** Shows the learner's purchases, newest first; the one chosen opens in the browser. */
export async function showHistory(client: PortalClient, words: Words): Promise<void> {
  const shown: Transaction[] = [];
  for (let page = 1; ; page += 1) {
    const { items, total } = await client.transactions({ page, limit: PAGE });
    shown.push(...items);
    if (shown.length === 0) {
      await vscode.window.showInformationMessage(words.historyEmpty);
      return;
    }
    const hasMore = items.length > 0 && shown.length < total;
    const choice = await vscode.window.showQuickPick(lines(shown, hasMore, words), {
      title: words.historyTitle,
    });
    if (choice === undefined) {
      return;
    }
    if (choice.transaction !== undefined) {
      const address = new URL(`/checkout/${encodeURIComponent(choice.transaction.sessionId)}`, client.origin);
      await vscode.env.openExternal(vscode.Uri.parse(address.href, true));
      return;
    }
  }
}

function lines(shown: readonly Transaction[], hasMore: boolean, words: Words): HistoryItem[] {
  const items = shown.map((transaction) => ({
    label: transaction.product.title,
    description: `${price(transaction.amount, transaction.currency)} · ${statusWord(transaction.status, words)}`,
    detail: localTime(transaction.createdAt),
    transaction,
  }));
  return hasMore ? [...items, { label: words.historyMore, transaction: undefined }] : items;
}

function statusWord(status: string, words: Words): string {
  return Object.hasOwn(words.status, status) ? words.status[status as SessionStatus] : status;
}
