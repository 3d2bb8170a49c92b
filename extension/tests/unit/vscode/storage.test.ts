import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExtensionContext, Memento, SecretStorage } from 'vscode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFileLock } from '../../../src/vscode/file-lock.js';
import { createWeChatPayFlow, WeChatPayFlow } from '../../../src/vscode/index.js';
import { LicenseStore, MementoCache, SecretTokenStore } from '../../../src/vscode/storage.js';
import { tokensUntil } from '../../support/clients.js';
import { FakeMemento, FakeSecrets, Uri } from '../../support/fake-vscode.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-client-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the lock', () => {
  it('lets one in at a time, and cleans up', async () => {
    const path = join(folder, 'deep', 'lock');
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, (inside += 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 6 }, () => withFileLock(path, work)));
    expect(most).toBe(1);
    expect(await readdir(join(folder, 'deep'))).toEqual([]);
  });

  it('is free again after a failure', async () => {
    const path = join(folder, 'lock');
    await expect(withFileLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withFileLock(path, () => Promise.resolve(1))).toBe(1);
  });

  it('does not wait for a window that crashed', async () => {
    const path = join(folder, 'lock');
    await writeFile(path, 'left behind');
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(path, longAgo, longAgo);
    expect(await withFileLock(path, () => Promise.resolve(1))).toBe(1);
  });
});

describe('what is kept', () => {
  const secrets = new FakeSecrets();

  it('keeps tokens of each portal apart', async () => {
    const lock = join(folder, 'lock');
    const one = new SecretTokenStore(secrets as unknown as SecretStorage, 'https://one.example', lock);
    const two = new SecretTokenStore(secrets as unknown as SecretStorage, 'https://two.example', lock);
    await one.save(tokensUntil(1));
    expect(await one.load()).toEqual(tokensUntil(1));
    expect(await two.load()).toBeUndefined();
    expect(await one.exclusive(() => Promise.resolve('done'))).toBe('done');
    await one.clear();
    expect(await one.load()).toBeUndefined();
  });

  it('keeps a license for each course', async () => {
    const store = new LicenseStore(secrets as unknown as SecretStorage, 'https://one.example');
    await store.save('a', 'text');
    expect([await store.load('a'), await store.load('b')]).toEqual(['text', undefined]);
    await store.clear('a');
    expect(await store.load('a')).toBeUndefined();
  });

  it('keeps what is public in a memento', async () => {
    const cache = new MementoCache(new FakeMemento() as unknown as Memento);
    expect(await cache.load('x')).toBeUndefined();
    await cache.save('x', 'y');
    expect(await cache.load('x')).toBe('y');
  });

  it('is wired up from an extension’s context', () => {
    const context = {
      secrets,
      globalState: new FakeMemento(),
      globalStorageUri: Uri.file(folder),
      extension: { id: 'learning-buddy.example', packageJSON: { version: '1.2.3' } },
    } as unknown as ExtensionContext;
    expect(createWeChatPayFlow(context, 'https://portal.example')).toBeInstanceOf(WeChatPayFlow);
    expect(() => createWeChatPayFlow(context, 'http://portal.example')).toThrow('https');
  });
});
