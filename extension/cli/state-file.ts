import { readFile, rename, writeFile } from 'node:fs/promises';
import {
  tokensFromText,
  tokensToText,
  type TextCache,
  type Tokens,
  type TokenStore,
} from '../src/core/index.js';

/**
 * One file (readable by its owner only) with the sign-in and the portal's public documents. For trying
 * things out on a machine of one's own; an extension has SecretStorage.
 */
export class StateFile implements TextCache {
  private texts: Map<string, string> | undefined;

  /** @param path where it is kept; without, it ends with the program */
  constructor(private readonly path: string | undefined) {}

  async load(name: string): Promise<string | undefined> {
    return (await this.read()).get(name);
  }

  async save(name: string, text: string): Promise<void> {
    const texts = await this.read();
    texts.set(name, text);
    await this.write(texts);
  }

  async remove(name: string): Promise<void> {
    const texts = await this.read();
    texts.delete(name);
    await this.write(texts);
  }

  private async read(): Promise<Map<string, string>> {
    this.texts ??= new Map(Object.entries(await this.parsed()));
    return this.texts;
  }

  private async parsed(): Promise<Record<string, string>> {
    if (this.path === undefined) {
      return {};
    }
    try {
      return JSON.parse(await readFile(this.path, 'utf8')) as Record<string, string>;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return {};
      }
      throw error;
    }
  }

  private async write(texts: Map<string, string>): Promise<void> {
    if (this.path === undefined) {
      return;
    }
    // Whole or not at all.
    const draft = `${this.path}.${process.pid}`;
    await writeFile(draft, JSON.stringify(Object.fromEntries(texts)), { mode: 0o600 });
    await rename(draft, this.path);
  }
}

/** Keeps the sign-in with one portal in a state file. */
export class FileTokenStore implements TokenStore {
  private readonly name: string;

  constructor(
    private readonly file: StateFile,
    origin: string,
  ) {
    this.name = `${origin} tokens`;
  }

  async load(): Promise<Tokens | undefined> {
    return tokensFromText((await this.file.load(this.name)) ?? '');
  }

  save(tokens: Tokens): Promise<void> {
    return this.file.save(this.name, tokensToText(tokens));
  }

  clear(): Promise<void> {
    return this.file.remove(this.name);
  }
}
