import type { Memento, SecretStorage } from 'vscode';
import type { TextCache } from '../core/trust.js';
import { tokensFromText, tokensToText, type Tokens, type TokenStore } from '../core/tokens.js';
import { withFileLock } from './file-lock.js';

/** Names carry the portal's origin: what belongs to one portal is never shown to another. */
const PREFIX = 'learningBuddyPortal';

/** Keeps the sign-in in SecretStorage, which all windows share. */
export class SecretTokenStore implements TokenStore {
  private readonly name: string;

  /** @param lockPath a file that all windows of this editor reach, below `globalStorageUri` */
  constructor(
    private readonly secrets: SecretStorage,
    origin: string,
    private readonly lockPath: string,
  ) {
    this.name = `${PREFIX}.tokens ${origin}`;
  }

  async load(): Promise<Tokens | undefined> {
    const text = await this.secrets.get(this.name);
    return text === undefined ? undefined : tokensFromText(text);
  }

  async save(tokens: Tokens): Promise<void> {
    await this.secrets.store(this.name, tokensToText(tokens));
  }

  async clear(): Promise<void> {
    await this.secrets.delete(this.name);
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    return withFileLock(this.lockPath, work);
  }
}

/** Keeps license texts in SecretStorage, one for each course. */
export class LicenseStore {
  constructor(
    private readonly secrets: SecretStorage,
    private readonly origin: string,
  ) {}

  async load(courseId: string): Promise<string | undefined> {
    return this.secrets.get(this.name(courseId));
  }

  async save(courseId: string, text: string): Promise<void> {
    await this.secrets.store(this.name(courseId), text);
  }

  async clear(courseId: string): Promise<void> {
    await this.secrets.delete(this.name(courseId));
  }

  private name(courseId: string): string {
    return `${PREFIX}.license ${this.origin} ${courseId}`;
  }
}

/** Keeps the portal's public keys and revocation list in `globalState`: they are public. */
export class MementoCache implements TextCache {
  constructor(private readonly memento: Memento) {}

  load(name: string): Promise<string | undefined> {
    return Promise.resolve(this.memento.get<string>(`${PREFIX}.${name}`));
  }

  async save(name: string, text: string): Promise<void> {
    await this.memento.update(`${PREFIX}.${name}`, text);
  }
}
