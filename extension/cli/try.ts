/** The client in a terminal: sign in, buy, follow the payment, verify the license offline. `--help` says how. */
import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import {
  AlreadyOwned,
  AlreadyPaid,
  isAbort,
  isFinal,
  NetworkError,
  PortalClient,
  PortalError,
  type Session,
  type Verdict,
} from '../src/core/index.js';
import { FileTokenStore, StateFile } from './state-file.js';

const HELP = `Usage: npm run try -- [options]

  --portal URL     the portal's origin (http://127.0.0.1:8000)
  --course ID      the course to buy (cpp-primer-5th)
  --save FILE      where to write the license (license-<course>.lic.txt)
  --verify FILE    buy nothing: fetch the newest revocation list and judge the license in FILE
  --state FILE     keep sign-in, public keys and revocation list here; otherwise they end with the program
  --language LANG  zh-CN or en (en)
  --help

Ctrl-C while a payment is pending cancels the order.
Exit code: 0 the license is valid, 1 it is not or nothing was bought, 2 bad usage, 3 the portal cannot be reached.`;

const EXIT = { valid: 0, notValid: 1, usage: 2, offline: 3 } as const;

interface Arguments {
  readonly portal: string;
  readonly course: string;
  readonly language: string;
  readonly save?: string;
  readonly verify?: string;
  readonly state?: string;
  readonly help?: boolean;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      portal: { type: 'string', default: 'http://127.0.0.1:8000' },
      course: { type: 'string', default: 'cpp-primer-5th' },
      language: { type: 'string', default: 'en' },
      save: { type: 'string' },
      verify: { type: 'string' },
      state: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  return values;
}

function say(line: string): void {
  console.log(line);
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given.help) {
    say(HELP);
    return EXIT.valid;
  }
  const state = new StateFile(given.state);
  const client = new PortalClient({
    baseUrl: given.portal,
    tokens: new FileTokenStore(state, new URL(given.portal).origin),
    cache: state,
    language: given.language,
    deviceName: `Terminal · ${hostname()}`,
  });
  return given.verify === undefined ? buy(client, given) : verifyFile(client, given.verify);
}

async function verifyFile(client: PortalClient, file: string): Promise<number> {
  const text = (await readFile(file, 'utf8')).trim();
  try {
    const { revocations } = await client.trust.refresh();
    say(
      `Revocation list of ${revocations?.issuedAt}, next ${revocations?.nextUpdate}, ${revocations?.revoked.length} revoked.`,
    );
  } catch (error) {
    if (!(error instanceof NetworkError)) {
      throw error;
    }
    say(`${error.message}. Going on with what is kept.`);
  }
  return tell(await client.verifyOffline(text));
}

async function buy(client: PortalClient, given: Arguments): Promise<number> {
  if (!(await client.isSignedIn())) {
    await signIn(client);
  }
  say(`Signed in as ${(await client.me()).email}.`);
  const text = await licenseText(client, given.course);
  if (text === undefined) {
    return EXIT.notValid;
  }
  const file = given.save ?? `license-${given.course}.lic.txt`;
  await writeFile(file, text, { mode: 0o600 });
  say(`License saved to ${file} (${text.length} characters).`);
  return tell(await client.verifyOffline(text, given.course));
}

async function signIn(client: PortalClient): Promise<void> {
  const code = await client.startSignIn();
  say(`Open  ${code.verificationUriComplete}`);
  say(`and confirm the code ${code.userCode}. Waiting …`);
  await client.finishSignIn(code);
}

async function licenseText(client: PortalClient, courseId: string): Promise<string | undefined> {
  try {
    const { session, isNew } = await client.createSession(courseId);
    say(
      `Session ${session.id} (${isNew ? 'new' : 'open already'}): ${session.product.title}, ${session.amount} fen.`,
    );
    say(`Pay at  ${session.paymentUrl}`);
    say(`or scan ${session.codeUrl ?? '(the code follows)'}`);
    const final = await follow(client, session);
    return final.license?.key;
  } catch (error) {
    if (!(error instanceof AlreadyOwned) || error.licenseId === undefined) {
      throw error;
    }
    say(error.detail);
    return (await client.license(error.licenseId)).key;
  }
}

async function follow(client: PortalClient, session: Session): Promise<Session> {
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once('SIGINT', onInterrupt);
  try {
    return await client.watchSession(session.id, {
      signal: stop.signal,
      onChange: (changed) => say(`${time()}  ${changed.status.padEnd(9)}  ${changed.message}`),
      onConnection: (state) => say(`${time()}  connection ${state}`),
    });
  } catch (error) {
    if (!isAbort(error, stop.signal)) {
      throw error;
    }
    return cancel(client, session);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function cancel(client: PortalClient, session: Session): Promise<Session> {
  try {
    const cancelled = await client.cancelSession(session.id, 'Ctrl-C');
    say(`${time()}  ${cancelled.status.padEnd(9)}  ${cancelled.message}`);
    return cancelled;
  } catch (error) {
    if (!(error instanceof AlreadyPaid)) {
      throw error;
    }
    say(error.detail);
    return isFinal(error.session) ? error.session : client.watchSession(session.id);
  }
}

function tell(verdict: Verdict): number {
  const { license, revocation } = verdict;
  say(`Verified offline: ${verdict.code}${verdict.isStale ? ' (revocation list not up to date)' : ''}`);
  if (license !== undefined) {
    say(`  license ${license.id} for ${license.courseId}, key ${license.kid}, until ${license.expiresAt}`);
  }
  if (revocation !== undefined) {
    say(`  revoked ${revocation.at}${revocation.reason ? `: ${revocation.reason}` : ''}`);
  }
  return verdict.valid ? EXIT.valid : EXIT.notValid;
}

function time(): string {
  return new Date().toISOString().slice(11, 19);
}

function fail(error: unknown): number {
  if (error instanceof NetworkError || error instanceof PortalError) {
    console.error(error.message);
    return error instanceof NetworkError ? EXIT.offline : EXIT.notValid;
  }
  if (error instanceof TypeError || (error as NodeJS.ErrnoException).code === 'ENOENT') {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return EXIT.usage;
  }
  throw error;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = fail(error);
  },
);
