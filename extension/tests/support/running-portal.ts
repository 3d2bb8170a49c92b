import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Learner } from './learner.js';

const ROOT = resolve(__dirname, '../../..');
const PYTHON = process.env['PORTAL_PYTHON'] ?? join(ROOT, '.venv', 'bin', 'python');
const READY_MS = 60_000;
const PASSWORD = 'a long and quiet password';

/** A program that runs, and the file with what it wrote. */
interface Program {
  readonly child: ChildProcess;
  readonly log: string;
}

/**
 * The real portal and its WeChat Pay sandbox, as processes of their own: what `make run` starts, on free
 * ports, with an empty database in a temporary folder.
 */
export class RunningPortal {
  private readonly programs = new Map<string, Program>();
  private learners = 0;

  private constructor(
    readonly url: string,
    private readonly sandboxUrl: string,
    private readonly folder: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  static async start(): Promise<RunningPortal> {
    if (!existsSync(PYTHON)) {
      throw new Error(
        `There is no ${PYTHON}. Make it with scripts/install.sh, or name a Python in PORTAL_PYTHON.`,
      );
    }
    const folder = await mkdtemp(join(tmpdir(), 'portal-client-'));
    const [port, sandboxPort] = await Promise.all([freePort(), freePort()]);
    const url = `http://127.0.0.1:${port}`;
    const portal = new RunningPortal(url, `http://127.0.0.1:${sandboxPort}`, folder, settings(url, folder));
    try {
      await portal.startAll(sandboxPort);
    } catch (error) {
      await portal.stop();
      throw error;
    }
    return portal;
  }

  /** Ends everything and removes the folder. */
  async stop(): Promise<void> {
    for (const name of [...this.programs.keys()].reverse()) {
      await this.end(name);
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Runs a command of the portal, and returns what it printed. */
  flask(words: readonly string[], stdin = ''): Promise<string> {
    return new Promise((done, failed) => {
      const options = { cwd: ROOT, env: this.env, timeout: READY_MS };
      const child = execFile(
        PYTHON,
        ['-m', 'flask', '--app', 'wsgi', ...words],
        options,
        (error, out, err) => {
          if (error) {
            failed(new Error(`flask ${words.join(' ')}: ${error.message}\n${out}${err}`));
          } else {
            done(out);
          }
        },
      );
      child.stdin?.end(stdin);
    });
  }

  /** Makes an account, and gives a browser that is signed in with it. */
  async learner(): Promise<Learner> {
    this.learners += 1;
    const email = `learner-${this.learners}@example.com`;
    await this.flask(['users', 'create', email, '--role', 'learner', '--password-stdin'], `${PASSWORD}\n`);
    const learner = new Learner(this.url, email);
    await learner.signIn(PASSWORD);
    return learner;
  }

  /** A bearer token of a learner, made on the command line. */
  async token(email: string): Promise<string> {
    return (await this.flask(['tokens', 'create', email])).trim();
  }

  /** Pays as the phone would. */
  async pay(codeUrl: string): Promise<void> {
    await this.sandbox('/control/pay', { code_url: codeUrl });
  }

  /** Pays the order that was placed last. */
  async payNewest(): Promise<void> {
    const newestFirst = (await this.sandbox('/control/orders')) as { orders: { out_trade_no: string }[] };
    await this.sandbox('/control/pay', { out_trade_no: newestFirst.orders[0]?.out_trade_no });
  }

  /** Calls the sandbox as its owner; returns the JSON it answers. */
  async sandbox(path: string, body?: object): Promise<unknown> {
    const init = {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    };
    const response = await fetch(this.sandboxUrl + path, body === undefined ? {} : init);
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`sandbox: ${path} answered ${response.status}: ${text}`);
    }
    return JSON.parse(text);
  }

  /** Ends the portal's web server, and starts it again at the same address. */
  async restart(whileAway: () => Promise<void>): Promise<void> {
    await this.end('portal');
    await whileAway();
    await this.serve();
  }

  private async startAll(sandboxPort: number): Promise<void> {
    const data = join(this.folder, 'sandbox');
    await this.launch('sandbox', ['-m', 'sandbox', '--port', String(sandboxPort), '--data', data]);
    await this.until('sandbox', async () => (await this.log('sandbox')).includes('"ready": true'));
    const merchant = await readFile(join(data, 'merchant', 'settings.json'), 'utf8');
    Object.assign(this.env, JSON.parse(merchant), { WECHATPAY_BASE_URL: this.sandboxUrl });
    await this.flask(['db', 'upgrade']);
    await this.flask(['catalogue', 'load', 'portal/catalogue/demo.yaml']);
    await this.flask(['license-keys', 'rotate', '--first']);
    await this.serve();
  }

  private async serve(): Promise<void> {
    await this.launch('portal', ['-m', 'gunicorn', 'wsgi:app', '--bind', new URL(this.url).host]);
    await this.until(
      'portal',
      async () => (await fetch(`${this.url}/readyz`).catch(() => undefined))?.ok === true,
    );
  }

  private async launch(name: string, words: readonly string[]): Promise<void> {
    const log = join(this.folder, `${name}.log`);
    const file = await open(log, 'a');
    // A group of its own, so that its workers end with it.
    const stdio: ['ignore', number, number] = ['ignore', file.fd, file.fd];
    const child = spawn(PYTHON, words, { cwd: ROOT, env: this.env, stdio, detached: true });
    await file.close();
    this.programs.set(name, { child, log });
    process.once('exit', () => kill(child, 'SIGKILL'));
  }

  private async end(name: string): Promise<void> {
    const child = this.programs.get(name)?.child;
    this.programs.delete(name);
    if (child === undefined || child.exitCode !== null) {
      return;
    }
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const force = setTimeout(() => kill(child, 'SIGKILL'), 10_000);
    await ended;
    clearTimeout(force);
    kill(child, 'SIGKILL');
  }

  private async until(name: string, isReady: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + READY_MS;
    while (!(await isReady())) {
      const hasEnded = (this.programs.get(name)?.child.exitCode ?? null) !== null;
      if (hasEnded || Date.now() > deadline) {
        throw new Error(`The ${name} did not get ready:\n${(await this.log(name)).slice(-4000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  private async log(name: string): Promise<string> {
    return readFile(this.programs.get(name)?.log ?? '', 'utf8').catch(() => '');
  }
}

function settings(url: string, folder: string): NodeJS.ProcessEnv {
  // Of the developer's own environment only what programs need to run at all.
  const kept = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'LD_LIBRARY_PATH'];
  const own = Object.fromEntries(kept.map((name) => [name, process.env[name]]));
  return {
    ...own,
    PYTHONUNBUFFERED: '1',
    DATABASE_URL: `sqlite:///${join(folder, 'portal.db')}`,
    SECRET_KEY: 'test-'.repeat(8),
    PORTAL_BASE_URL: url,
    PORTAL_MODE: 'test',
    VAR_DIR: folder,
    MAIL_DIR: join(folder, 'mail'),
    LICENSE_KEY_DIR: join(folder, 'license-keys'),
    LICENSE_KEY_PASSPHRASE: 'test passphrase',
    WEB_CONCURRENCY: '1',
  };
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
