import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';

/** The folder of this package. */
export const PACKAGE = resolve(__dirname, '../..');

/** A program that runs, and what it has written so far. */
export class Program {
  output = '';
  readonly exitCode: Promise<number | null>;

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString('utf8')));
    this.exitCode = new Promise((done, failed) => {
      child.once('error', failed);
      child.once('close', done);
    });
  }

  /** Starts `node` with these words in the folder of this package. */
  static node(...words: string[]): Program {
    return Program.nodeIn(PACKAGE, ...words);
  }

  /** Starts `node` with these words in `folder`. */
  static nodeIn(folder: string, ...words: string[]): Program {
    return new Program(spawn(process.execPath, words, { cwd: folder }));
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }
}
