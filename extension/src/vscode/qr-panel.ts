import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { Session } from '../core/types.js';
import { qrPage } from './qr-page.js';
import { portalLanguage, type Words } from './words.js';

/** The webview with a session's QR code. Closing it hides the code and cancels nothing. */
export class QrPanel {
  private panel: vscode.WebviewPanel | undefined;
  private isOver = false;

  constructor(
    private session: Session,
    private readonly words: Words,
  ) {}

  /** Shows the panel, or brings it to the front; not after `close`, however late the button is pressed. */
  show(): void {
    if (this.isOver) {
      return;
    }
    if (this.panel !== undefined) {
      this.panel.reveal();
      return;
    }
    const options = {
      enableScripts: false,
      enableForms: false,
      enableCommandUris: false,
      localResourceRoots: [],
    };
    this.panel = vscode.window.createWebviewPanel(
      'learningBuddyWeChatPay',
      this.words.qrTitle,
      vscode.ViewColumn.Active,
      options,
    );
    this.panel.onDidDispose(() => {
      this.panel = undefined;
    });
    this.draw();
  }

  /** Shows what has become of the session. */
  update(session: Session): void {
    this.session = session;
    this.draw();
  }

  /** Closes the panel for good. */
  close(): void {
    this.isOver = true;
    this.panel?.dispose();
  }

  private draw(): void {
    if (this.panel !== undefined) {
      const nonce = randomBytes(16).toString('base64');
      this.panel.webview.html = qrPage(this.session, this.words, portalLanguage(vscode.env.language), nonce);
    }
  }
}
