/*
 * As much of the module `vscode` as the flow uses, written by hand. `editor` is what a test looks at and
 * turns: what was shown, what was opened, and what the learner does.
 */

export interface Shown {
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly buttons: readonly string[];
  readonly detail: string | undefined;
}

export class FakePanel {
  isOpen = true;
  readonly webview = { html: '' };
  private readonly listeners: (() => void)[] = [];

  constructor(readonly options: object) {}

  reveal(): void {
    this.isOpen = true;
  }

  onDidDispose(listener: () => void): void {
    this.listeners.push(listener);
  }

  dispose(): void {
    this.isOpen = false;
    for (const listener of this.listeners) {
      listener();
    }
  }
}

interface Pick {
  readonly label: string;
  readonly description?: string;
}

class Editor {
  shown: Shown[] = [];
  opened: string[] = [];
  panels: FakePanel[] = [];
  picks: (readonly Pick[])[] = [];
  /** Titles and messages of progress notifications, in order. */
  progress: string[] = [];
  clipboard = '';
  opensPages = true;
  /** Which button is chosen for a message; `undefined` closes it. */
  answer: (shown: Shown) => string | undefined | Promise<string | undefined> = () => undefined;
  /** Which line is chosen from a list. */
  pick: (lines: readonly Pick[]) => Pick | undefined = () => undefined;
  private cancels: (() => void)[] = [];

  /** Presses "Cancel" on the progress notification that shows. */
  cancel(): void {
    this.cancels.at(-1)?.();
  }

  reset(): void {
    Object.assign(this, new Editor());
    env.language = 'en';
  }

  texts(): string[] {
    return this.shown.map((one) => one.text);
  }

  async show(level: Shown['level'], text: string, rest: readonly unknown[]): Promise<string | undefined> {
    const options = rest.find((one): one is { detail?: string } => typeof one === 'object');
    const buttons = rest.filter((one): one is string => typeof one === 'string');
    const shown = { level, text, buttons, detail: options?.detail };
    this.shown.push(shown);
    await Promise.resolve();
    return this.answer(shown);
  }

  async withProgress<T>(title: string, work: (progress: object, token: object) => Promise<T>): Promise<T> {
    this.progress.push(title);
    const listeners: (() => void)[] = [];
    const press = (): void => listeners.forEach((listener) => listener());
    this.cancels.push(press);
    const progress = { report: (step: { message: string }) => this.progress.push(step.message) };
    const token = { onCancellationRequested: (listener: () => void) => listeners.push(listener) };
    try {
      return await work(progress, token);
    } finally {
      this.cancels = this.cancels.filter((one) => one !== press);
    }
  }
}

export const window = {
  showInformationMessage: (text: string, ...rest: unknown[]) => editor.show('info', text, rest),
  showWarningMessage: (text: string, ...rest: unknown[]) => editor.show('warning', text, rest),
  showErrorMessage: (text: string, ...rest: unknown[]) => editor.show('error', text, rest),
  withProgress: <T>(options: { title: string }, work: (progress: object, token: object) => Promise<T>) =>
    editor.withProgress(options.title, work),
  createWebviewPanel: (_type: string, _title: string, _column: number, options: object) => {
    const panel = new FakePanel(options);
    editor.panels.push(panel);
    return panel;
  },
  showQuickPick: async (lines: readonly Pick[]) => {
    editor.picks.push(lines);
    await Promise.resolve();
    return editor.pick(lines);
  },
};

export const env = {
  language: 'en',
  appName: 'Visual Studio Code',
  openExternal: async (uri: { toString(): string }) => {
    editor.opened.push(uri.toString());
    await Promise.resolve();
    return editor.opensPages;
  },
  clipboard: {
    writeText: async (text: string) => {
      editor.clipboard = text;
      await Promise.resolve();
    },
  },
};

export class Uri {
  private constructor(
    readonly fsPath: string,
    private readonly text: string,
  ) {}

  static parse(text: string): Uri {
    return new Uri(new URL(text).pathname, text);
  }

  static file(path: string): Uri {
    return new Uri(path, `file://${path}`);
  }

  static joinPath(base: Uri, ...names: string[]): Uri {
    return Uri.file([base.fsPath, ...names].join('/'));
  }

  toString(): string {
    return this.text;
  }
}

export const commands = {
  registered: new Map<string, (...given: unknown[]) => unknown>(),
  registerCommand(name: string, run: (...given: unknown[]) => unknown) {
    this.registered.set(name, run);
    return { dispose: () => this.registered.delete(name) };
  },
};

export const workspace = {
  settings: new Map<string, unknown>(),
  getConfiguration: (section: string) => ({
    get: (name: string, usual?: unknown) => workspace.settings.get(`${section}.${name}`) ?? usual,
  }),
};

export const ProgressLocation = { Notification: 15 };
export const ViewColumn = { Active: -1 };

export const editor = new Editor();

/** SecretStorage. */
export class FakeSecrets {
  readonly texts = new Map<string, string>();

  get(name: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(name));
  }

  store(name: string, text: string): Promise<void> {
    this.texts.set(name, text);
    return Promise.resolve();
  }

  delete(name: string): Promise<void> {
    this.texts.delete(name);
    return Promise.resolve();
  }
}

/** A Memento. */
export class FakeMemento {
  readonly values = new Map<string, unknown>();

  get(name: string): unknown {
    return this.values.get(name);
  }

  update(name: string, value: unknown): Promise<void> {
    this.values.set(name, value);
    return Promise.resolve();
  }
}
