import * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { withFileLock } from '../../../src/vscode/file-lock.js';

/** What happens, once, between a window's look at the lock's age and what it does then. */
let meanwhile: (() => Promise<void>) | undefined;

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof files>();
  return {
    ...real,
    stat: async (path: string) => {
      const found = await real.stat(path);
      const happens = meanwhile;
      meanwhile = undefined;
      await happens?.();
      return found;
    },
  };
});

it('leaves the lock to the window that was faster in taking over a stale one', async () => {
  const folder = await files.mkdtemp(join(tmpdir(), 'portal-client-'));
  const path = join(folder, 'lock');
  await files.writeFile(path, 'left behind');
  const longAgo = new Date(Date.now() - 120_000);
  await files.utimes(path, longAgo, longAgo);

  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, (inside += 1));
    await new Promise((resolve) => setTimeout(resolve, 120));
    inside -= 1;
  };
  let faster: Promise<void> | undefined;
  meanwhile = async () => {
    await files.rm(path);
    await new Promise<void>((isInside) => {
      faster = withFileLock(path, () => {
        isInside();
        return work();
      });
    });
  };
  await withFileLock(path, work);
  await faster;
  expect(most).toBe(1);
  expect(await files.readdir(folder)).toEqual([]);
  await files.rm(folder, { recursive: true });
});
