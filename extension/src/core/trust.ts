import { unlessAborted, type Clock } from './clock.js';
import { publicKey } from './decode.js';
import { PortalError, UnexpectedAnswer } from './errors.js';
import { Fields } from './fields.js';
import { readRevocations } from './revocations.js';
import { readJson, type Answer, type Transport } from './transport.js';
import type { PublicKey, RevocationList } from './types.js';

/** Keeps texts between restarts; nothing in it is secret. VS Code's `globalState` will do. */
export interface TextCache {
  load(name: string): Promise<string | undefined>;
  save(name: string, text: string): Promise<void>;
}

/** Keeps texts as long as this object lives. */
export class MemoryTextCache implements TextCache {
  private readonly texts = new Map<string, string>();

  load(name: string): Promise<string | undefined> {
    return Promise.resolve(this.texts.get(name));
  }

  save(name: string, text: string): Promise<void> {
    this.texts.set(name, text);
    return Promise.resolve();
  }
}

/** All that is needed to judge a license offline. */
export interface Trust {
  readonly keys: readonly PublicKey[];
  /** `undefined`: none was ever fetched. */
  readonly revocations: RevocationList | undefined;
}

/** A document of the portal as it was last seen. */
interface Kept {
  readonly etag: string;
  readonly text: string;
}

/**
 * Milliseconds between two refreshes that nobody asked for by name: neither a made-up license nor a portal that is
 * away must cost a call, and the wait for it, with each license that is judged.
 */
const PAUSE_MS = 60_000;

const KEYS = { name: 'public-keys', path: '/api/v1/licenses/public-keys' };
const REVOCATIONS = { name: 'revocations', path: '/api/v1/licenses/revocations' };

/** The portal's public keys and revocation list, kept for when there is no network. */
export class TrustStore {
  /** The end of the last try, whatever came of it. */
  private refreshedAt = -Infinity;
  private running: Promise<Trust> | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly cache: TextCache,
    private readonly clock: Clock,
  ) {}

  /** What is kept; without any call. */
  async kept(): Promise<Trust> {
    const keys = keysIn((await this.load(KEYS.name))?.text);
    const list = await this.load(REVOCATIONS.name);
    return { keys, revocations: list && readRevocations(list.text, keys) };
  }

  /**
   * What is kept, brought up to date if the list says that a newer one is due (or there is none yet); once keys
   * are known, tried at most once a minute. Offline, what is kept must do: the verdict's `isStale` tells.
   */
  async current(signal?: AbortSignal): Promise<Trust> {
    const kept = await this.kept();
    const isDue =
      kept.revocations === undefined || this.clock.now() >= Date.parse(kept.revocations.nextUpdate);
    if (!isDue) {
      return kept;
    }
    // Without any key nothing can be judged: a license that was just bought must not wait for the minute to pass.
    return kept.keys.length === 0 ? this.refreshed(kept, signal) : this.onceAMinute(kept, signal);
  }

  /** For a license whose key is not known: the portal may have a new one. At most one refresh a minute. */
  async forUnknownKey(signal?: AbortSignal): Promise<Trust> {
    return this.onceAMinute(await this.kept(), signal);
  }

  /**
   * Fetches both anew, whatever is kept (a 304 when nothing changed).
   *
   * @throws {UnexpectedAnswer} the list is not signed by one of the keys
   */
  async refresh(signal?: AbortSignal): Promise<Trust> {
    try {
      return await this.fetched(signal);
    } finally {
      this.refreshedAt = this.clock.now();
    }
  }

  private async fetched(signal: AbortSignal | undefined): Promise<Trust> {
    const keys = keysIn(
      await this.fetch(KEYS, signal, (answer) => {
        readJson(answer, readKeys);
        return true;
      }),
    );
    // By the new keys: a list that a key revoked since has signed must not keep the portal's own out.
    const before = (await this.kept()).revocations;
    const text = await this.fetch(REVOCATIONS, signal, (answer) => isNewer(answer, keys, before));
    return { keys, revocations: readRevocations(text, keys) };
  }

  /** `kept` where the last try was less than a minute ago, else what a refresh brings. */
  private async onceAMinute(kept: Trust, signal: AbortSignal | undefined): Promise<Trust> {
    const isRecent = this.running === undefined && this.clock.now() - this.refreshedAt < PAUSE_MS;
    return isRecent ? kept : this.refreshed(kept, signal);
  }

  /** What a refresh brings, or `kept` where it fails. */
  private async refreshed(kept: Trust, signal: AbortSignal | undefined): Promise<Trust> {
    // Who asks meanwhile waits for the same answer; whoever gives up does not end it for the others.
    this.running ??= this.refresh().finally(() => {
      this.running = undefined;
    });
    try {
      return await unlessAborted(this.running, signal);
    } catch (error) {
      if (error instanceof PortalError) {
        return kept;
      }
      throw error;
    }
  }

  /** The document's text: the kept one if it is still good, else the new one if `isWanted`; that may throw, too. */
  private async fetch(
    document: { readonly name: string; readonly path: string },
    signal: AbortSignal | undefined,
    isWanted: (answer: Answer) => boolean,
  ): Promise<string> {
    const kept = await this.load(document.name);
    const headers = kept === undefined || kept.etag === '' ? {} : { 'If-None-Match': kept.etag };
    const answer = await this.transport.send({ method: 'GET', path: document.path, headers, signal });
    const isKeptGood = answer.status === 304 || !isWanted(answer);
    if (isKeptGood && kept !== undefined) {
      return kept.text;
    }
    const found: Kept = { etag: answer.headers.get('ETag') ?? '', text: answer.text };
    await this.cache.save(this.cacheName(document.name), JSON.stringify(found));
    return found.text;
  }

  private async load(name: string): Promise<Kept | undefined> {
    const text = await this.cache.load(this.cacheName(name));
    try {
      const fields = new Fields(JSON.parse(text ?? 'null'));
      return { etag: fields.text('etag'), text: fields.text('text') };
    } catch {
      return undefined;
    }
  }

  /** Two portals (a test one, say) do not share their keys. */
  private cacheName(name: string): string {
    return `${this.transport.origin} ${name}`;
  }
}

function readKeys(fields: Fields): PublicKey[] {
  return fields.objects('keys', publicKey);
}

function keysIn(text: string | undefined): PublicKey[] {
  try {
    return readKeys(new Fields(JSON.parse(text ?? 'null')));
  } catch {
    return [];
  }
}

/**
 * Tells whether the answer is a list at least as new as the one known. An older one is passed over: it is a
 * machine whose clock is behind, or somebody who hides what was revoked since (and whose list gets overdue).
 */
function isNewer(answer: Answer, keys: readonly PublicKey[], before: RevocationList | undefined): boolean {
  const list = readRevocations(answer.text, keys);
  if (list === undefined) {
    throw new UnexpectedAnswer('The revocation list is not signed by a key of the portal.', answer.status);
  }
  return before === undefined || Date.parse(list.issuedAt) >= Date.parse(before.issuedAt);
}
