/*
 * What the portal's JSON says, in this client's spelling. Amounts are integers in the smallest unit of the
 * currency (fen for CNY). Moments are UTC ISO 8601 texts with `Z`, as the portal sends them.
 */

/** A course of the catalogue. */
export interface Course {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly level: string;
  /** Hours. */
  readonly estimatedHours: number;
  readonly isFree: boolean;
  /** Fen. */
  readonly amount: number;
  readonly currency: string;
  /** How many days a license holds. */
  readonly licenseDays: number;
  /** Whether the learner who is signed in owns it; `false` for a stranger. */
  readonly owned: boolean;
  /** The course's page in a browser. */
  readonly buyUrl: string;
}

/** `paid`: the money is confirmed and the license not yet made. `completed`: the license is inside. */
export type SessionStatus =
  'pending' | 'paid' | 'completed' | 'expired' | 'cancelled' | 'failed' | 'refunded';

/** What is bought. */
export interface Product {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
}

/** The license inside a completed session. */
export interface SessionLicense {
  readonly id: string;
  readonly courseId: string;
  /** The license text: a secret. Keep it in SecretStorage, never in a log. */
  readonly key: string;
  readonly expiresAt: string;
}

/** One purchase on its way. */
export interface Session {
  readonly id: string;
  readonly status: SessionStatus;
  readonly product: Product;
  /** Fen. */
  readonly amount: number;
  readonly currency: string;
  readonly paymentMethod: string;
  /** The page that shows the same code in a browser. */
  readonly paymentUrl: string;
  /** The text of the QR code (`weixin://…`); `undefined` while there is none to pay. */
  readonly codeUrl: string | undefined;
  /** The same code as an SVG picture on a white ground. */
  readonly qrSvg: string | undefined;
  readonly expiresAt: string;
  /** Seconds to wait before asking again. */
  readonly pollAfter: number;
  /** `undefined` until it is made, and again once it is revoked. */
  readonly license: SessionLicense | undefined;
  /** A sentence the learner can act on, in the language that was asked for. */
  readonly message: string;
}

/** A session that was asked for, and how the portal came by it. */
export interface CreatedSession {
  readonly session: Session;
  /** `true`: made now. `false`: the learner had this one open already. */
  readonly isNew: boolean;
  /** `true`: the answer to an earlier request with the same Idempotency-Key. */
  readonly isReplay: boolean;
}

/** A line of the learner's history. */
export interface Transaction {
  readonly id: string;
  /** The session it belongs to: the purchase itself, or the one that a refund is of. */
  readonly sessionId: string;
  readonly type: string;
  readonly status: string;
  /** Fen. */
  readonly amount: number;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly product: Product;
  /** The gateway's number of the payment. */
  readonly transactionId: string | undefined;
  readonly createdAt: string;
  readonly paidAt: string | undefined;
  readonly licenseId: string | undefined;
}

/** Which transactions are asked for; dates are `YYYY-MM-DD`. */
export interface TransactionFilter {
  /** Counted from 1. */
  readonly page?: number;
  readonly limit?: number;
  readonly type?: string;
  readonly status?: string;
  readonly dateFrom?: string;
  readonly dateTo?: string;
}

/** A page of transactions, newest first; `total` counts all pages. */
export interface TransactionPage {
  readonly items: readonly Transaction[];
  readonly page: number;
  readonly limit: number;
  readonly total: number;
}

/** A way to pay. */
export interface PaymentMethod {
  readonly id: string;
  readonly name: string;
  readonly available: boolean;
  readonly currencies: readonly string[];
  readonly kinds: readonly string[];
}

/** A license the learner owns. */
export interface OwnedLicense {
  readonly id: string;
  readonly courseId: string;
  readonly status: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  /** `undefined`: it was granted, not bought. */
  readonly orderId: string | undefined;
  /** The license text, a secret; `undefined` once it is revoked or replaced. */
  readonly key: string | undefined;
}

/** The learner who is signed in. `id` is public and random. */
export interface Me {
  readonly id: string;
  readonly email: string;
  readonly locale: string;
  readonly role: string;
}

/** Every verdict on a license text, the portal's and the offline one. */
export const LICENSE_CODES = [
  'VALID',
  'MALFORMED',
  'BAD_SIGNATURE',
  'UNKNOWN_KEY',
  'EXPIRED',
  'REVOKED',
  'COURSE_MISMATCH',
] as const;

export type LicenseCode = (typeof LICENSE_CODES)[number];

/** The portal's own verdict. */
export interface OnlineVerdict {
  readonly valid: boolean;
  readonly code: LicenseCode;
  readonly checkedAt: string;
}

/** A key that signs licenses or did. */
export interface PublicKey {
  readonly kid: string;
  readonly alg: string;
  readonly pem: string;
  /** `active`, `verify_only` or `revoked`. */
  readonly status: string;
  readonly notBefore: string;
  readonly notAfter: string | undefined;
}

/** A license that must no longer be accepted. */
export interface Revocation {
  readonly id: string;
  readonly at: string;
  readonly reason: string;
}

/** The revocation list, its signature checked. */
export interface RevocationList {
  readonly issuedAt: string;
  /** When a newer one is due. */
  readonly nextUpdate: string;
  readonly revoked: readonly Revocation[];
}
