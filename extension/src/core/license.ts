import { BadField, type Fields } from './fields.js';
import { isSignedBy, LONGEST_LICENSE, readSignedText, usableKey } from './signed-text.js';
import type { LicenseCode, PublicKey, RevocationList } from './types.js';

/** What a license says, once its signature is known to be good. */
export interface LicenseFields {
  readonly id: string;
  readonly courseId: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** `["all_chapters"]` or names of chapters. */
  readonly contentPermissions: readonly string[];
  /** The learner, by a name that stays and tells nothing. */
  readonly subject: string;
  readonly kid: string;
  readonly maxDownloads: number;
  readonly gitee: GiteeFields | undefined;
}

/** Where a course's protected content is. */
export interface GiteeFields {
  readonly contentRepo: string | undefined;
  readonly trackingRepo: string | undefined;
  readonly branch: string | undefined;
}

/** The verdict on a license text. */
export interface Verdict {
  readonly valid: boolean;
  /** The same codes as the portal's own check. */
  readonly code: LicenseCode;
  /** What the license says; `undefined` unless the signature is good. */
  readonly license: LicenseFields | undefined;
  /** When and why it was revoked, if the list says so. */
  readonly revocation: { readonly at: string; readonly reason: string } | undefined;
  /**
   * Whether the revocation list is missing or overdue at `now`: VALID then means "as far as is known". How
   * long to go on like this offline is the caller's choice.
   */
  readonly isStale: boolean;
}

/**
 * Judges a license text without asking anybody. The verdict is the one the portal gives, in the same order
 * of checks; what only the portal knows (a license it never made, one replaced since) comes by the list.
 * The list leaves out what is past its end: a revoked license is then EXPIRED here, and REVOKED at the portal.
 *
 * @param keys the portal's public keys
 * @param revocations the portal's revocation list, if one was ever fetched
 * @param now milliseconds since 1970-01-01 UTC
 * @param courseId the course the license is wanted for; without it, any course will do
 */
export function verifyLicense(
  text: string,
  keys: readonly PublicKey[],
  revocations: RevocationList | undefined,
  now: number,
  courseId?: string,
): Verdict {
  const isStale = revocations === undefined || now >= Date.parse(revocations.nextUpdate);
  const refused = (code: LicenseCode): Verdict => ({
    valid: false,
    code,
    license: undefined,
    revocation: undefined,
    isStale,
  });

  const taken = readSignedText(text, LONGEST_LICENSE);
  if (taken === undefined) {
    return refused('MALFORMED');
  }
  const key = keys.find((one) => one.kid === taken.kid);
  const usable = key && usableKey(key);
  if (key === undefined || usable === undefined) {
    return refused('UNKNOWN_KEY');
  }
  if (!isSignedBy(usable, taken)) {
    return refused('BAD_SIGNATURE');
  }
  const license = readLicense(taken.fields);
  if (license === undefined) {
    return refused('MALFORMED'); // signed by us, but as something else: the revocation list has this form too
  }
  const revocation = revocations?.revoked.find((one) => one.id === license.id);
  const code = codeOf(license, key.status === 'revoked' || revocation !== undefined, now, courseId);
  return { valid: code === 'VALID', code, license, revocation, isStale };
}

function codeOf(license: LicenseFields, isRevoked: boolean, now: number, courseId?: string): LicenseCode {
  if (isRevoked) {
    return 'REVOKED';
  }
  if (courseId !== undefined && license.courseId !== courseId) {
    return 'COURSE_MISMATCH';
  }
  return now >= Date.parse(license.expiresAt) ? 'EXPIRED' : 'VALID';
}

function readLicense(fields: Fields): LicenseFields | undefined {
  try {
    return {
      id: fields.text('id'),
      courseId: fields.text('courseId'),
      createdAt: fields.moment('createdAt'),
      expiresAt: fields.moment('expiresAt'),
      contentPermissions: fields.texts('contentPermissions'),
      subject: fields.text('subject'),
      kid: fields.text('kid'),
      maxDownloads: fields.object('limits').integer('maxDownloads'),
      gitee: giteeOf(fields.optional('gitee', fields.object)),
    };
  } catch (error) {
    if (error instanceof BadField) {
      return undefined;
    }
    throw error;
  }
}

function giteeOf(fields: Fields | undefined): GiteeFields | undefined {
  return (
    fields && {
      contentRepo: fields.optional('contentRepo', fields.text),
      trackingRepo: fields.optional('trackingRepo', fields.text),
      branch: fields.optional('branch', fields.text),
    }
  );
}
