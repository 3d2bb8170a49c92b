import { BadField } from './fields.js';
import { isSignedBy, readSignedText, usableKey } from './signed-text.js';
import type { PublicKey, RevocationList } from './types.js';

/** Characters; a list of ten thousand licenses has about two million. */
const LONGEST_LIST = 4 * 1024 * 1024;

/**
 * Reads the portal's revocation list and checks who signed it; `undefined` when it is not one, or not signed
 * by a key in use. A revoked key signs no list: whoever stole it could otherwise hide its own revocation.
 */
export function readRevocations(text: string, keys: readonly PublicKey[]): RevocationList | undefined {
  const taken = readSignedText(text.trim(), LONGEST_LIST);
  const key = keys.find((one) => one.kid === taken?.kid && one.status !== 'revoked');
  const usable = key && usableKey(key);
  if (taken === undefined || usable === undefined || !isSignedBy(usable, taken)) {
    return undefined;
  }
  try {
    return {
      issuedAt: taken.fields.moment('issuedAt'),
      nextUpdate: taken.fields.moment('nextUpdate'),
      revoked: taken.fields.objects('revoked', (one) => ({
        id: one.text('id'),
        at: one.moment('at'),
        reason: one.optional('reason', one.text) ?? '',
      })),
    };
  } catch (error) {
    if (error instanceof BadField) {
      return undefined;
    }
    throw error;
  }
}
