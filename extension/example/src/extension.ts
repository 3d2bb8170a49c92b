import * as vscode from 'vscode';
import { createWeChatPayFlow } from '../../src/vscode/index.js';

export function activate(context: vscode.ExtensionContext): void {
  const settings = vscode.workspace.getConfiguration('learningBuddyExample');
  const flow = createWeChatPayFlow(context, settings.get('portal', 'http://127.0.0.1:8000'));
  const course = settings.get('course', 'cpp-primer-5th');

  context.subscriptions.push(
    vscode.commands.registerCommand('learningBuddyExample.purchase', () => flow.purchase(course)),
    vscode.commands.registerCommand('learningBuddyExample.history', () => flow.showHistory()),
    vscode.commands.registerCommand('learningBuddyExample.status', () => flow.showLicenseStatus(course)),
    vscode.commands.registerCommand('learningBuddyExample.signOut', () => flow.signOut()),
  );
}
