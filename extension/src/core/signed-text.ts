import { createHash, createPublicKey, createVerify, type KeyObject } from 'node:crypto';
import { Fields } from './fields.js';
import type { PublicKey } from './types.js';

/*
 * The form of a license and of the revocation list: `B64 + "|" + SIG`. `B64` is standard base64 of a UTF-8
 * JSON object; `SIG` is standard base64 of an RSA PKCS#1 v1.5 SHA-256 signature over the characters of `B64`
 * (not over the JSON).
 */

/**
 * SHA-256 (hex) of the SubjectPublicKeyInfo of keys that everybody can sign with. The private half of this
 * one is in the history of the extension's public repository: whatever a server says, it proves nothing.
 */
export const COMPROMISED_KEYS: ReadonlySet<string> = new Set([
  'b5c8bbb8b3f50d3a9b72a1d8bf866e1b66f620c8ca732afd107bd183ed6bbb91',
]);

/** Characters; a real text has about a thousand. The portal's own limit for a license. */
export const LONGEST_LICENSE = 16_384;

const FEWEST_BITS = 2048;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A signed text taken apart; nothing about it is proven yet. */
export interface SignedText {
  /** The characters that were signed. */
  readonly signed: string;
  readonly signature: Buffer;
  readonly fields: Fields;
  /** Which key is said to have signed; empty when it names none. */
  readonly kid: string;
}

/** Takes a signed text apart; `undefined` when it is not of the form above. */
export function readSignedText(text: string, longest: number): SignedText | undefined {
  const [signed = '', signature = '', ...rest] = text.length > longest ? [] : text.split('|');
  if (
    signed === '' ||
    signature === '' ||
    rest.length > 0 ||
    !BASE64.test(signed) ||
    !BASE64.test(signature)
  ) {
    return undefined;
  }
  try {
    const json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(signed, 'base64'),
    );
    const fields = new Fields(JSON.parse(json), 'text');
    return { signed, signature: Buffer.from(signature, 'base64'), fields, kid: kidOf(fields) };
  } catch {
    return undefined;
  }
}

/** Tells whether `key` made the signature. */
export function isSignedBy(key: KeyObject, text: SignedText): boolean {
  return createVerify('SHA256').update(text.signed, 'ascii').verify(key, text.signature);
}

/** The key to verify with; `undefined` when it must not be used: no RSA, too short, or compromised. */
export function usableKey(
  key: PublicKey,
  compromised: ReadonlySet<string> = COMPROMISED_KEYS,
): KeyObject | undefined {
  let object: KeyObject;
  try {
    object = createPublicKey(key.pem);
  } catch {
    return undefined;
  }
  const bits = object.asymmetricKeyDetails?.modulusLength ?? 0;
  const isRsa = key.alg === 'RS256' && object.asymmetricKeyType === 'rsa' && bits >= FEWEST_BITS;
  return isRsa && !compromised.has(fingerprintOf(object)) ? object : undefined;
}

/** SHA-256 (hex) of a key's SubjectPublicKeyInfo: what a key is known by, whatever it is called. */
export function fingerprintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

function kidOf(fields: Fields): string {
  try {
    return fields.text('kid');
  } catch {
    return '';
  }
}
