import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Learner } from '../support/learner.js';
import { Program } from '../support/program.js';
import { RunningPortal } from '../support/running-portal.js';

let portal: RunningPortal;
let ada: Learner;
let folder: string;
let license: string;
let state: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-client-'));
  license = join(folder, 'license.lic.txt');
  state = join(folder, 'state.json');
  const build = Program.node(
    'node_modules/typescript/bin/tsc',
    '-p',
    'tsconfig.build.json',
    '--outDir',
    join(folder, 'dist'),
  );
  if ((await build.exitCode) !== 0) {
    throw new Error(build.output);
  }
  portal = await RunningPortal.start();
  ada = await portal.learner();
});
afterAll(async () => {
  await portal?.stop();
  await rm(folder, { recursive: true, force: true });
});

function start(...words: string[]): Program {
  return Program.node(join(folder, 'dist/cli/try.js'), '--portal', portal.url, '--state', state, ...words);
}

async function seen(program: Program, pattern: RegExp): Promise<string> {
  await expect.poll(() => program.output, { timeout: 30_000 }).toMatch(pattern);
  return pattern.exec(program.output)?.[1] ?? '';
}

it('signs in, buys, and verifies offline', async () => {
  const program = start('--save', license);
  await ada.decide(await seen(program, /^Open +(http\S+)$/m), 'allow');
  await portal.pay(await seen(program, /^or scan +(weixin:\S+)$/m));
  expect(await program.exitCode).toBe(0);
  expect(program.output).toContain(`Signed in as ${ada.email}.`);
  expect(program.output).toMatch(/\d\d:\d\d:\d\d {2}completed/);
  expect(program.output).toMatch(/^Verified offline: VALID$/m);
  expect(program.output).not.toContain((await readFile(license, 'utf8')).slice(0, 40));
  expect((await stat(license)).mode & 0o077).toBe(0);
  expect((await stat(state)).mode & 0o077).toBe(0);
});

it('knows what is owned, without a new sign-in', async () => {
  const program = start('--save', license);
  expect(await program.exitCode).toBe(0);
  expect(program.output).not.toContain('Open ');
  expect(program.output).toMatch(/^Verified offline: VALID$/m);
});

it('verifies with no portal at all, by what it kept', async () => {
  await portal.restart(async () => {
    const program = start('--verify', license);
    expect(await program.exitCode).toBe(0);
    expect(program.output).toContain('ECONNREFUSED');
    expect(program.output).toMatch(/^Verified offline: VALID$/m);
  });
});

it('reports a license revoked once the list is fetched anew', async () => {
  const id = await seen(start('--verify', license), /license ([0-9a-f-]{36}) /);
  await portal.flask(['licenses', 'revoke', id, '--reason', 'chargeback']);
  const program = start('--verify', license);
  expect(await program.exitCode).toBe(1);
  expect(program.output).toMatch(/^Verified offline: REVOKED$/m);
  expect(program.output).toMatch(/revoked 20\S+Z: chargeback/);
});

it('cancels with Ctrl-C', async () => {
  const program = start('--course', 'react-complete');
  await seen(program, /(pending)/);
  program.interrupt();
  expect(await program.exitCode).toBe(1);
  expect(program.output).toMatch(/cancelled/);
});

it('says what is wrong with how it was called', async () => {
  const unknown = start('--coarse', 'x');
  expect(await unknown.exitCode).toBe(2);
  expect(unknown.output).toContain('Usage:');
  const missing = start('--verify', join(folder, 'nothing'));
  expect(await missing.exitCode).toBe(2);
  await writeFile(license, 'no license');
  const broken = start('--verify', license);
  expect(await broken.exitCode).toBe(1);
  expect(broken.output).toContain('MALFORMED');
});
