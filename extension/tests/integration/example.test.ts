import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Module from 'node:module';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commands, FakeMemento, FakeSecrets, Uri } from '../support/fake-vscode.js';
import * as vscode from '../support/fake-vscode.js';
import { PACKAGE, Program } from '../support/program.js';

let folder: string;
let example: string;

beforeAll(async () => {
  // In a copy: packaging writes beside the sources.
  folder = await mkdtemp(join(tmpdir(), 'portal-client-'));
  example = join(folder, 'example');
  for (const name of ['src', 'example', 'tsconfig.json']) {
    await cp(join(PACKAGE, name), join(folder, name), {
      recursive: true,
      filter: (path) => !/[\\/]out$|\.vsix$/.test(path),
    });
  }
  await symlink(join(PACKAGE, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('is packaged without any node_modules', async () => {
  const vsce = join(PACKAGE, 'node_modules/@vscode/vsce/vsce');
  const words = [
    'package',
    '--no-dependencies',
    '--allow-missing-repository',
    '--out',
    join(folder, 'example.vsix'),
  ];
  const program = Program.nodeIn(example, vsce, ...words);
  expect(await program.exitCode, program.output).toBe(0);
  // A zip file names its entries in clear.
  const names = (await readFile(join(folder, 'example.vsix'))).toString('latin1');
  expect(names).toContain('extension/out/example/src/extension.js');
  expect(names).toContain('extension/out/src/core/portal-client.js');
  expect(names).not.toMatch(/node_modules|extension\/src\//);
});

it('starts in an editor and has its commands', async () => {
  const load = createRequire(join(example, 'package.json'));
  const withVsCode = Module as unknown as { _load: (name: string, ...rest: unknown[]) => unknown };
  const usual = withVsCode._load;
  withVsCode._load = (name, ...rest) => (name === 'vscode' ? vscode : usual.call(Module, name, ...rest));
  try {
    const { activate } = load('./out/example/src/extension.js') as { activate: (context: unknown) => void };
    const subscriptions: unknown[] = [];
    activate({
      subscriptions,
      secrets: new FakeSecrets(),
      globalState: new FakeMemento(),
      globalStorageUri: Uri.file(folder),
      extension: { id: 'learning-buddy.example', packageJSON: { version: '0.1.0' } },
    });
    expect(subscriptions).toHaveLength(4);
  } finally {
    withVsCode._load = usual;
  }
  const manifest = JSON.parse(await readFile(join(example, 'package.json'), 'utf8')) as {
    contributes: { commands: { command: string }[] };
  };
  expect([...commands.registered.keys()].sort()).toEqual(
    manifest.contributes.commands.map((one) => one.command).sort(),
  );
});
