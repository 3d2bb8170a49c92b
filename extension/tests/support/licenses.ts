import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { PublicKey } from '../../src/core/types.js';

/** A key pair of a made-up portal. */
export interface Signer {
  readonly key: PublicKey;
  readonly privateKey: KeyObject;
}

export function newSigner(kid = 'lb-test-1', bits = 2048, more: Partial<PublicKey> = {}): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const key = {
    kid,
    alg: 'RS256',
    pem,
    status: 'active',
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: undefined,
  };
  return { key: { ...key, ...more }, privateKey };
}

/** A key as the API writes it. */
export function keyBody(key: PublicKey): object {
  const { notBefore, notAfter, ...rest } = key;
  return { ...rest, not_before: notBefore, not_after: notAfter ?? null };
}

export const LICENSE_ID = '2f6c0b3e-7d0f-4b5e-9f44-1c9a4c1a9d10';

export function licenseFields(more: object = {}): object {
  return {
    id: LICENSE_ID,
    createdAt: '2026-11-20T08:00:00.000Z',
    expiresAt: '2027-11-20T08:00:00.000Z',
    contentPermissions: ['all_chapters'],
    courseId: 'cpp-primer-5th',
    kid: 'lb-test-1',
    subject: 'esgzgcme2t4zctba3c75',
    limits: { maxDownloads: 5 },
    ...more,
  };
}

export function listFields(more: object = {}): object {
  return {
    issuedAt: '2026-11-20T08:00:00.000Z',
    nextUpdate: '2026-11-20T09:00:00.000Z',
    revoked: [],
    kid: 'lb-test-1',
    ...more,
  };
}

/** Writes and signs a text of the license's form. */
export function signText(fields: unknown, signer: Signer): string {
  return signRaw(Buffer.from(JSON.stringify(fields), 'utf8').toString('base64'), signer);
}

export function signRaw(b64: string, signer: Signer): string {
  return `${b64}|${createSign('SHA256').update(b64, 'ascii').sign(signer.privateKey, 'base64')}`;
}
