import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { AlreadyOwned, PortalProblem, SignInRequired } from '../core/errors.js';
import type { Verdict } from '../core/license.js';
import type { PortalClient } from '../core/portal-client.js';
import type { Session } from '../core/types.js';
import { showHistory } from './history.js';
import { LicenseDesk } from './license-desk.js';
import { explain, StoppedWaiting, type FailureKind, type PurchaseOutcome } from './outcome.js';
import { payFor } from './payment.js';
import { signInWithDevice } from './sign-in.js';
import type { LicenseStore } from './storage.js';
import { localTime, type Words } from './words.js';

/** What a flow is made of. */
export interface WeChatPayFlowParts {
  readonly client: PortalClient;
  readonly licenses: LicenseStore;
  readonly words: Words;
}

/** "Purchase with WeChat Pay", from the click to the license, and what belongs to it: sign-in, history, status. */
export class WeChatPayFlow {
  private readonly client: PortalClient;
  private readonly words: Words;
  private readonly desk: LicenseDesk;
  /** One purchase of a course at a time: a second click joins the first. */
  private readonly running = new Map<string, Promise<PurchaseOutcome>>();
  /** The Idempotency-Key of a wish whose answer never came: trying again is the same wish. */
  private readonly wishes = new Map<string, string>();

  constructor(parts: WeChatPayFlowParts) {
    this.client = parts.client;
    this.words = parts.words;
    this.desk = new LicenseDesk(parts.client, parts.licenses);
  }

  /** Buys a course. Never rejects for what can happen outside: the learner is told, the outcome returned. */
  purchase(courseId: string): Promise<PurchaseOutcome> {
    const running = this.running.get(courseId);
    if (running !== undefined) {
      return running;
    }
    const purchase = this.buy(courseId).finally(() => this.running.delete(courseId));
    this.running.set(courseId, purchase);
    return purchase;
  }

  /** Signs in; `false` when it did not come to that, and the learner knows why. */
  async signIn(): Promise<boolean> {
    const done = await this.told(async () => {
      await signInWithDevice(this.client, this.words);
      return true;
    });
    if (done === undefined) {
      return false;
    }
    void vscode.window.showInformationMessage(this.words.signedIn);
    return true;
  }

  /** Signs out. Licenses stay: they are the learner's, and work offline. */
  async signOut(): Promise<void> {
    await this.client.signOut();
    void vscode.window.showInformationMessage(this.words.signedOut);
  }

  /** Shows the learner's purchases. */
  async showHistory(): Promise<void> {
    await this.told(() => this.signedIn(() => showHistory(this.client, this.words)));
  }

  /** The verdict on the course's license, without a word to the learner; `undefined` when there is none. */
  licenseStatus(courseId: string): Promise<Verdict | undefined> {
    return this.desk.status(courseId);
  }

  /** Tells the learner how the course's license stands, by the newest revocation list if it can be had. */
  async showLicenseStatus(courseId: string): Promise<void> {
    const { words } = this;
    await this.desk.refresh();
    const verdict = await this.desk.status(courseId);
    if (verdict?.code === 'VALID') {
      const until = localTime(verdict.license?.expiresAt ?? '');
      const note = verdict.isStale ? words.licenseStale : '';
      void vscode.window.showInformationMessage(words.licenseValid(until) + note);
      return;
    }
    const text = verdict === undefined ? words.noLicense : words.license[verdict.code];
    const choice = await vscode.window.showWarningMessage(text, words.buyAgain, words.showHistory);
    if (choice === words.buyAgain) {
      await this.purchase(courseId);
    } else if (choice === words.showHistory) {
      await this.showHistory();
    }
  }

  // -- A purchase

  private async buy(courseId: string): Promise<PurchaseOutcome> {
    for (;;) {
      try {
        const session = await this.signedIn(() => this.open(courseId));
        return await this.conclude(
          await this.signedIn(() => payFor(session, this.client, this.words)),
          courseId,
        );
      } catch (error) {
        if (error instanceof StoppedWaiting) {
          return { kind: 'left_open' };
        }
        if (error instanceof AlreadyOwned) {
          return this.tellOwned(error, courseId);
        }
        const { kind, wantsRetry } = await this.tellFailure(error);
        if (!wantsRetry) {
          return { kind };
        }
      }
    }
  }

  /** Does `work`; signs in first where that is needed, also when the portal ended the sign-in meanwhile. */
  private async signedIn<T>(work: () => Promise<T>): Promise<T> {
    if (!(await this.client.isSignedIn())) {
      await signInWithDevice(this.client, this.words);
    }
    try {
      return await work();
    } catch (error) {
      const lacksScope = error instanceof PortalProblem && error.code === 'insufficient_scope';
      if (!lacksScope && !(error instanceof SignInRequired)) {
        throw error;
      }
    }
    const choice = await vscode.window.showWarningMessage(this.words.signInEnded, this.words.signInButton);
    if (choice === undefined) {
      throw new StoppedWaiting();
    }
    await signInWithDevice(this.client, this.words);
    return work();
  }

  private async open(courseId: string): Promise<Session> {
    const idempotencyKey = this.wishes.get(courseId) ?? randomUUID();
    this.wishes.set(courseId, idempotencyKey);
    const options = { location: vscode.ProgressLocation.Notification, title: this.words.opening };
    try {
      const created = await vscode.window.withProgress(options, () =>
        this.client.createSession(courseId, { idempotencyKey }),
      );
      this.wishes.delete(courseId);
      // A repeated answer is as old as the first one.
      return created.isReplay ? await this.client.session(created.session.id) : created.session;
    } catch (error) {
      if (error instanceof PortalProblem && !error.isTemporary) {
        this.wishes.delete(courseId);
      }
      throw error;
    }
  }

  // -- Its end

  private async conclude(session: Session, courseId: string): Promise<PurchaseOutcome> {
    const { words } = this;
    switch (session.status) {
      case 'completed':
        return this.deliver(session, courseId);
      case 'cancelled':
        void vscode.window.showInformationMessage(words.cancelled);
        return { kind: 'cancelled' };
      case 'expired':
        return this.tellExpired(session, courseId);
      case 'refunded':
        void vscode.window.showWarningMessage(words.refunded(session.message));
        return { kind: 'refunded' };
      default:
        void vscode.window.showErrorMessage(words.failed(session.message));
        return { kind: 'failed' };
    }
  }

  private async deliver(session: Session, courseId: string): Promise<PurchaseOutcome> {
    const { words } = this;
    if (session.license === undefined) {
      void vscode.window.showWarningMessage(words.withoutLicense(session.message));
      return { kind: 'revoked' };
    }
    const verdict = await this.desk.keep(courseId, session.license.key);
    if (verdict.valid) {
      void vscode.window.showInformationMessage(words.completed(session.product.title));
    } else {
      void vscode.window.showWarningMessage(words.notVerified(verdict.code));
    }
    return { kind: 'completed', licenseId: session.license.id };
  }

  /** Money that comes late is honoured, so the end of the time is not always the end. */
  private async tellExpired(session: Session, courseId: string): Promise<PurchaseOutcome> {
    const choice = await vscode.window.showWarningMessage(this.words.expired, this.words.checkAgain);
    if (choice === undefined) {
      return { kind: 'expired' };
    }
    const now = await this.client.session(session.id);
    return this.conclude(await payFor(now, this.client, this.words), courseId);
  }

  private async tellOwned(error: AlreadyOwned, courseId: string): Promise<PurchaseOutcome> {
    const { words } = this;
    const { licenseId } = error;
    const outcome: PurchaseOutcome = { kind: 'already_owned', licenseId };
    if (licenseId === undefined) {
      void vscode.window.showInformationMessage(words.alreadyOwnedPreparing);
      return outcome;
    }
    const verdict = await this.told(() => this.desk.fetch(courseId, licenseId));
    if (verdict !== undefined) {
      void vscode.window.showInformationMessage(words.alreadyOwned);
    }
    return outcome;
  }

  // -- Failures

  /** Does `work`; what goes wrong outside is told to the learner, and the answer is `undefined`. */
  private async told<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof StoppedWaiting || !(await this.tellFailure(error)).wantsRetry) {
          return undefined;
        }
      }
    }
  }

  private async tellFailure(error: unknown): Promise<{ kind: FailureKind; wantsRetry: boolean }> {
    const explanation = explain(error, this.words);
    if (explanation === undefined) {
      void vscode.window.showErrorMessage(this.words.broken);
      throw error;
    }
    const { kind, text, isRetryable } = explanation;
    if (text === '') {
      return { kind, wantsRetry: false };
    }
    const buttons = isRetryable ? [this.words.tryAgain] : [];
    const choice = await vscode.window.showErrorMessage(text, ...buttons);
    return { kind, wantsRetry: choice !== undefined };
  }
}
