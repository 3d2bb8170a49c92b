import * as vscode from 'vscode';
import { AlreadyPaid, isAbort, NetworkError, PortalProblem } from '../core/errors.js';
import type { PortalClient } from '../core/portal-client.js';
import type { Session } from '../core/types.js';
import { isFinal } from '../core/watch.js';
import { StoppedWaiting } from './outcome.js';
import { QrPanel } from './qr-panel.js';
import { localTime, price, type Words } from './words.js';

/**
 * Sees a session through: the page in the browser, the code here if wanted, progress with "Cancel".
 *
 * @returns the session, final
 * @throws {StoppedWaiting} the learner gave up, and it is not certain that the order was cancelled
 */
export async function payFor(session: Session, client: PortalClient, words: Words): Promise<Session> {
  return isFinal(session) ? session : new Payment(session, client, words).run();
}

class Payment {
  private readonly panel: QrPanel;

  constructor(
    private readonly session: Session,
    private readonly client: PortalClient,
    private readonly words: Words,
  ) {
    this.panel = new QrPanel(session, words);
  }

  /** Shows where to pay, and waits until the session is final. */
  async run(): Promise<Session> {
    try {
      await this.present();
      return await this.wait();
    } finally {
      this.panel.close();
    }
  }

  /** Opens the page in the browser, and offers the code here. */
  private async present(): Promise<void> {
    const { panel, session, words } = this;
    const isOpen = await vscode.env.openExternal(vscode.Uri.parse(session.paymentUrl, true));
    if (!isOpen) {
      panel.show();
    }
    const text = isOpen ? words.payHint : words.payByHand(session.paymentUrl);
    void vscode.window.showInformationMessage(text, words.showQr, words.copyAddress).then((choice) => {
      if (choice === words.showQr) {
        panel.show();
      } else if (choice === words.copyAddress) {
        void vscode.env.clipboard.writeText(session.paymentUrl);
      }
    });
  }

  private async wait(): Promise<Session> {
    const { session } = this;
    const title = this.words.paying(session.product.title, price(session.amount, session.currency));
    try {
      return await this.follow(title);
    } catch (error) {
      if (!(error instanceof StoppedWaiting)) {
        throw error;
      }
    }
    const cancelled = await this.cancel();
    this.panel.update(cancelled);
    // Paid in the last moment, or WeChat Pay has yet to confirm: a second "cancel" only stops the waiting.
    return isFinal(cancelled) ? cancelled : this.follow(this.words.checking, true);
  }

  /** Watches a session with a progress notification. */
  private follow(title: string, isLast = false): Promise<Session> {
    const { panel, words } = this;
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    return Promise.resolve(
      vscode.window.withProgress(options, async (progress, token) => {
        const stop = new AbortController();
        token.onCancellationRequested(() => stop.abort());
        try {
          return await this.client.watchSession(this.session.id, {
            signal: stop.signal,
            onChange: (changed) => {
              progress.report({ message: changed.message });
              panel.update(changed);
            },
            onConnection: (state) =>
              progress.report({ message: state === 'lost' ? words.offlineWaiting : words.onlineAgain }),
          });
        } catch (error) {
          if (!isAbort(error, stop.signal)) {
            throw error;
          }
          if (isLast) {
            void vscode.window.showWarningMessage(words.stillPaying);
          }
          throw new StoppedWaiting();
        }
      }),
    );
  }

  private async cancel(): Promise<Session> {
    const options = { location: vscode.ProgressLocation.Notification, title: this.words.cancelling };
    try {
      return await vscode.window.withProgress(options, () =>
        this.client.cancelSession(this.session.id, 'cancelled in the editor'),
      );
    } catch (error) {
      if (error instanceof AlreadyPaid) {
        return error.session;
      }
      if (error instanceof NetworkError || (error instanceof PortalProblem && error.isTemporary)) {
        void vscode.window.showWarningMessage(this.words.cancelUnknown(localTime(this.session.expiresAt)));
        throw new StoppedWaiting();
      }
      throw error;
    }
  }
}
