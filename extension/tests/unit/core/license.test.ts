import { createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { verifyLicense } from '../../../src/core/license.js';
import { readRevocations } from '../../../src/core/revocations.js';
import { COMPROMISED_KEYS, fingerprintOf, usableKey } from '../../../src/core/signed-text.js';
import {
  LICENSE_ID,
  licenseFields,
  listFields,
  newSigner,
  signRaw,
  signText,
} from '../../support/licenses.js';

const signer = newSigner();
const keys = [signer.key];
const now = Date.parse('2026-11-20T08:30:00.000Z');
const noneRevoked = readRevocations(signText(listFields(), signer), keys);

function codeOf(text: string, courseId?: string, at = now): string {
  return verifyLicense(text, keys, noneRevoked, at, courseId).code;
}

describe('verifyLicense', () => {
  it('takes a license that is signed, in time, and for the course', () => {
    const verdict = verifyLicense(
      signText(licenseFields(), signer),
      keys,
      noneRevoked,
      now,
      'cpp-primer-5th',
    );
    expect(verdict).toMatchObject({ valid: true, code: 'VALID', isStale: false });
    expect(verdict.license).toMatchObject({ id: LICENSE_ID, courseId: 'cpp-primer-5th', maxDownloads: 5 });
    expect(verdict.license?.gitee).toBeUndefined();
  });

  it('reads where the content is', () => {
    const gitee = { contentRepo: 'a/b', trackingRepo: 'c/d', branch: 'main' };
    expect(
      verifyLicense(signText(licenseFields({ gitee }), signer), keys, noneRevoked, now).license?.gitee,
    ).toEqual(gitee);
  });

  it('needs no course', () => {
    expect(codeOf(signText(licenseFields(), signer))).toBe('VALID');
  });

  it.each([
    ['nothing', ''],
    ['no bar', 'eyJhIjoxfQ=='],
    ['two bars', 'eyJhIjoxfQ==|AAAA|AAAA'],
    ['no signature', 'eyJhIjoxfQ==|'],
    ['URL base64', 'eyJhIjoi_-8ifQ==|AAAA'],
    ['cut padding', 'eyJhIjoxfQ=|AAAA'],
    ['a line break inside', 'eyJh\nIjoxfQ==|AAAA'],
    ['no JSON', `${Buffer.from('hello').toString('base64')}|AAAA`],
    ['a list', `${Buffer.from('[]').toString('base64')}|AAAA`],
    ['null', `${Buffer.from('null').toString('base64')}|AAAA`],
    ['invalid UTF-8', `${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64')}|AAAA`],
    ['ten thousand letters too many', `${'A'.repeat(20_000)}|AAAA`],
  ])('calls %s malformed', (_what, text) => {
    expect(codeOf(text)).toBe('MALFORMED');
  });

  it('does not know the key', () => {
    const stranger = newSigner('somebody-else');
    expect(codeOf(signText(licenseFields({ kid: 'somebody-else' }), stranger))).toBe('UNKNOWN_KEY');
    expect(codeOf(signText({ a: 1 }, signer))).toBe('UNKNOWN_KEY');
  });

  it('notices another signer under a known name', () => {
    expect(codeOf(signText(licenseFields(), newSigner()))).toBe('BAD_SIGNATURE');
  });

  it('notices each changed character of the payload', () => {
    const [b64 = '', signature = ''] = signText(licenseFields(), signer).split('|');
    const forged = Buffer.from(JSON.stringify(licenseFields({ courseId: 'react-complete' }))).toString(
      'base64',
    );
    expect(forged).not.toBe(b64);
    expect(codeOf(`${forged}|${signature}`)).toBe('BAD_SIGNATURE');
  });

  it('wants the signature over the base64 text, not over the JSON', () => {
    const json = JSON.stringify(licenseFields());
    const [, overJson = ''] = signRaw(json, signer).split('|').slice(-2);
    expect(codeOf(`${Buffer.from(json).toString('base64')}|${overJson}`)).toBe('BAD_SIGNATURE');
  });

  it('ends at the very moment', () => {
    const text = signText(licenseFields(), signer);
    const end = Date.parse('2027-11-20T08:00:00.000Z');
    expect(codeOf(text, undefined, end - 1)).toBe('VALID');
    expect(codeOf(text, undefined, end)).toBe('EXPIRED');
  });

  it('is for one course, with the verdicts in the order of the portal', () => {
    const text = signText(licenseFields(), signer);
    const end = Date.parse('2027-11-20T08:00:00.000Z');
    expect(codeOf(text, 'react-complete')).toBe('COURSE_MISMATCH');
    expect(codeOf(text, 'react-complete', end)).toBe('COURSE_MISMATCH');
  });

  it('is revoked by the list, with when and why', () => {
    const revoked = [{ id: LICENSE_ID, at: '2026-11-20T08:10:00.000Z', reason: 'refund' }];
    const list = readRevocations(signText(listFields({ revoked }), signer), keys);
    const verdict = verifyLicense(signText(licenseFields(), signer), keys, list, now, 'react-complete');
    expect(verdict).toMatchObject({ valid: false, code: 'REVOKED', revocation: { reason: 'refund' } });
  });

  it('is revoked with its key', () => {
    const revokedKey = { ...signer.key, status: 'revoked' };
    expect(verifyLicense(signText(licenseFields(), signer), [revokedKey], noneRevoked, now).code).toBe(
      'REVOKED',
    );
  });

  it('holds under a key that only verifies', () => {
    const retired = { ...signer.key, status: 'verify_only' };
    expect(verifyLicense(signText(licenseFields(), signer), [retired], noneRevoked, now).code).toBe('VALID');
  });

  it('says that the list is overdue, or was never there', () => {
    const text = signText(licenseFields(), signer);
    const due = Date.parse('2026-11-20T09:00:00.000Z');
    expect(verifyLicense(text, keys, noneRevoked, due - 1).isStale).toBe(false);
    expect(verifyLicense(text, keys, noneRevoked, due)).toMatchObject({ valid: true, isStale: true });
    expect(verifyLicense(text, keys, undefined, now)).toMatchObject({ valid: true, isStale: true });
  });

  it('does not take a revocation list for a license', () => {
    expect(codeOf(signText(listFields(), signer))).toBe('MALFORMED');
  });
});

describe('keys', () => {
  it('refuses the compromised key by its fingerprint, whatever it is called', () => {
    const fingerprint = fingerprintOf(createPublicKey(signer.key.pem));
    expect(usableKey(signer.key)).toBeDefined();
    expect(usableKey(signer.key, new Set([fingerprint]))).toBeUndefined();
    expect([...COMPROMISED_KEYS]).toEqual([
      'b5c8bbb8b3f50d3a9b72a1d8bf866e1b66f620c8ca732afd107bd183ed6bbb91',
    ]);
  });

  it('refuses short keys, other algorithms and what is no key', () => {
    const short = newSigner('lb-test-1', 1024);
    expect(verifyLicense(signText(licenseFields(), short), [short.key], noneRevoked, now).code).toBe(
      'UNKNOWN_KEY',
    );
    expect(usableKey({ ...signer.key, alg: 'none' })).toBeUndefined();
    expect(usableKey({ ...signer.key, pem: 'no key' })).toBeUndefined();
  });
});

describe('readRevocations', () => {
  it('reads a list', () => {
    expect(noneRevoked).toEqual({
      issuedAt: '2026-11-20T08:00:00.000Z',
      nextUpdate: '2026-11-20T09:00:00.000Z',
      revoked: [],
    });
  });

  it('takes it only from a key in use', () => {
    const list = signText(listFields(), signer);
    expect(readRevocations(list, [])).toBeUndefined();
    expect(readRevocations(list, [{ ...signer.key, status: 'revoked' }])).toBeUndefined();
    expect(readRevocations(signText(listFields(), newSigner()), keys)).toBeUndefined();
  });

  it('does not take a license for a list', () => {
    expect(readRevocations(signText(licenseFields(), signer), keys)).toBeUndefined();
  });
});
