import { NetworkError, UnexpectedAnswer } from './errors.js';
import { BadField, Fields, isSafeAddress } from './fields.js';
import { problemOf } from './problem.js';

/** The part of the platform's `fetch` that this client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** One call of the portal. */
export interface Call {
  readonly method: 'GET' | 'POST';
  /** Below the portal's origin, already escaped: see `pathOf`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as a form. */
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The access token, for calls on behalf of a learner. */
  readonly bearer?: string;
  readonly signal?: AbortSignal | undefined;
}

/** What came back, if it was no refusal: a 2xx or a 304. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface TransportOptions {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  /** Milliseconds until a call without an answer counts as a network error. */
  readonly timeoutMs: number;
  /** Value of Accept-Language: the language of messages and titles. */
  readonly language: string;
  readonly userAgent: string;
}

const LONGEST_ANSWER = 4 * 1024 * 1024;

/** Speaks HTTP with one portal. It follows no redirect, so a token never goes to another host. */
export class Transport {
  /** Scheme, host and port of the portal. */
  readonly origin: string;

  constructor(private readonly options: TransportOptions) {
    if (!isSafeAddress(options.baseUrl)) {
      throw new TypeError('baseUrl must be https (or http on this machine): tokens travel over it.');
    }
    this.origin = new URL(options.baseUrl).origin;
  }

  /**
   * Makes the call.
   *
   * @throws {NetworkError} there was no answer
   * @throws {UnexpectedAnswer} the answer is not the portal's
   * @throws {PortalProblem} the portal refused
   */
  async send(call: Call): Promise<Answer> {
    call.signal?.throwIfAborted();
    const answer = await this.exchange(call);
    if (answer.status === 304 || (answer.status >= 200 && answer.status < 300)) {
      return answer;
    }
    throw problemOf(answer);
  }

  /** Makes the call and reads the JSON object in the answer with `read`. */
  async json<T>(call: Call, read: (fields: Fields) => T): Promise<T> {
    return readJson(await this.send(call), read);
  }

  private async exchange(call: Call): Promise<Answer> {
    const limit = AbortSignal.timeout(this.options.timeoutMs);
    const signal = call.signal === undefined ? limit : AbortSignal.any([call.signal, limit]);
    try {
      const response = await this.options.fetch(this.address(call), {
        method: call.method,
        headers: this.headers(call),
        redirect: 'error',
        credentials: 'omit',
        signal,
        ...bodyOf(call),
      });
      return { status: response.status, headers: response.headers, text: await limitedText(response) };
    } catch (error) {
      if (call.signal?.aborted) {
        throw call.signal.reason;
      }
      if (error instanceof UnexpectedAnswer) {
        throw error;
      }
      const why = limit.aborted ? `no answer within ${this.options.timeoutMs / 1000} s` : reasonOf(error);
      throw new NetworkError(`${this.origin} cannot be reached: ${why}`, { cause: error });
    }
  }

  private address(call: Call): string {
    const url = new URL(call.path, this.origin);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) {
        url.searchParams.set(name, String(value));
      }
    }
    return url.href;
  }

  private headers(call: Call): Record<string, string> {
    return {
      Accept: 'application/json, application/problem+json',
      'Accept-Language': this.options.language,
      'User-Agent': this.options.userAgent,
      ...(call.json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(call.bearer === undefined ? {} : { Authorization: `Bearer ${call.bearer}` }),
      ...call.headers,
    };
  }
}

/** Builds a path; what is put in is escaped: ``pathOf`/api/v1/courses/${id}` ``. */
export function pathOf(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((path, part, index) => path + encodeURIComponent(values[index - 1] ?? '') + part);
}

/**
 * Reads the JSON object in an answer.
 *
 * @throws {UnexpectedAnswer} it is not JSON, or not what `read` expects
 */
export function readJson<T>(answer: Answer, read: (fields: Fields) => T): T {
  try {
    return read(new Fields(JSON.parse(answer.text)));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof BadField) {
      const why = error instanceof BadField ? error.message : 'it is not JSON';
      throw new UnexpectedAnswer(`The answer cannot be read: ${why}.`, answer.status, { cause: error });
    }
    throw error;
  }
}

function bodyOf(call: Call): { body?: string | URLSearchParams } {
  if (call.form !== undefined) {
    return { body: new URLSearchParams(call.form) };
  }
  return call.json === undefined ? {} : { body: JSON.stringify(call.json) };
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += (chunk as Uint8Array).byteLength;
    if (length > LONGEST_ANSWER) {
      throw new UnexpectedAnswer('The answer is too long.', response.status);
    }
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reasonOf(error: unknown): string {
  // `fetch` hides what happened behind "fetch failed"; the cause has the code (ECONNREFUSED, ENOTFOUND, …).
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) {
    return (cause as NodeJS.ErrnoException).code ?? cause.message;
  }
  return error instanceof Error ? error.message : 'unknown';
}
