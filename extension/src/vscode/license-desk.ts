import type { PortalClient } from '../core/portal-client.js';
import type { Verdict } from '../core/license.js';
import { PortalError } from '../core/errors.js';
import type { LicenseStore } from './storage.js';

/** Keeps the licenses of this editor and knows how they stand. */
export class LicenseDesk {
  constructor(
    private readonly client: PortalClient,
    private readonly store: LicenseStore,
  ) {}

  /** Keeps a license, and says what the offline check makes of it. */
  async keep(courseId: string, text: string): Promise<Verdict> {
    await this.store.save(courseId, text);
    return this.client.verifyOffline(text, courseId);
  }

  /** Fetches the learner's license with this id and keeps it; `undefined` when its text is withheld. */
  async fetch(courseId: string, licenseId: string): Promise<Verdict | undefined> {
    const { key } = await this.client.license(licenseId);
    return key === undefined ? undefined : this.keep(courseId, key);
  }

  /**
   * The verdict on the course's license; `undefined` when there is none. One that is missing here (a new
   * machine, an emptied keychain) or no longer good is looked for in the account, if that can be reached.
   */
  async status(courseId: string): Promise<Verdict | undefined> {
    const kept = await this.store.load(courseId);
    const verdict = kept === undefined ? undefined : await this.client.verifyOffline(kept, courseId);
    if (verdict?.valid) {
      return verdict;
    }
    return (await this.restore(courseId, kept)) ?? verdict;
  }

  /** Fetches the newest revocation list, if the portal can be reached. */
  async refresh(): Promise<void> {
    await ignoringOutages(this.client.trust.refresh());
  }

  private async restore(courseId: string, kept: string | undefined): Promise<Verdict | undefined> {
    if (!(await this.client.isSignedIn())) {
      return undefined;
    }
    const licenses = await ignoringOutages(this.client.licenses());
    const active = licenses?.find((one) => one.courseId === courseId && one.status === 'active');
    return active?.key === undefined || active.key === kept ? undefined : this.keep(courseId, active.key);
  }
}

/** What `work` brings; `undefined` when the portal cannot be reached or refuses. */
async function ignoringOutages<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof PortalError) {
      return undefined;
    }
    throw error;
  }
}
