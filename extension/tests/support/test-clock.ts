import type { Clock } from '../../src/core/clock.js';

/** A clock that does not wait: it moves on by as much as was to be slept, and remembers that. */
export class TestClock implements Clock {
  /** Seconds of each sleep, in order. */
  readonly sleeps: number[] = [];
  /** Called before each sleep. */
  onSleep: () => void = () => undefined;

  constructor(private moment = Date.parse('2026-11-20T08:00:00.000Z')) {}

  now(): number {
    return this.moment;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.sleeps.push(ms / 1000);
    this.onSleep();
    signal?.throwIfAborted();
    this.moment += ms;
    await Promise.resolve();
  }

  /** Moves on by `seconds`. */
  advance(seconds: number): void {
    this.moment += seconds * 1000;
  }
}
