import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock } from '../core/clock.js';

/** Milliseconds between two tries, and after which a lock counts as left behind: longer than any renewal takes. */
const PAUSE_MS = 50;
const STALE_MS = 60_000;

/**
 * Runs `work` while no other process of this machine does with the same `path`. The windows of an editor are
 * processes of their own and share one SecretStorage; a refresh token used by two of them signs both out.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const mark = randomUUID();
  await mkdir(dirname(path), { recursive: true });
  while (!(await isTaken(path, mark))) {
    await removeIfLeftBehind(path);
    await systemClock.sleep(PAUSE_MS);
  }
  try {
    return await work();
  } finally {
    if ((await contentOf(path)) === mark) {
      await rm(path, { force: true });
    }
  }
}

async function isTaken(path: string, mark: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(mark);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  }
}

async function removeIfLeftBehind(path: string): Promise<void> {
  // The mark first: if the lock changes hands before its age is known, the age is the new one's.
  const mark = await contentOf(path);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || Date.now() - found.mtimeMs <= STALE_MS) {
    return;
  }
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return; // another window was faster
    }
    throw error;
  }
  if ((await contentOf(aside)) !== mark) {
    // Another window was faster, and this is its own lock: back with it, unless a third has one by now.
    await link(aside, path).catch(() => undefined);
  }
  await rm(aside, { force: true });
}

async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
