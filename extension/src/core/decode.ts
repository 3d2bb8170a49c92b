import { Fields } from './fields.js';
import {
  LICENSE_CODES,
  type Course,
  type Me,
  type OnlineVerdict,
  type OwnedLicense,
  type PaymentMethod,
  type Product,
  type PublicKey,
  type Session,
  type SessionLicense,
  type SessionStatus,
  type Transaction,
  type TransactionPage,
} from './types.js';

/*
 * From the portal's JSON to this client's types. Only what is used is looked at, so that the portal may add
 * fields; what is used must be right, because it is shown, opened or believed.
 */

const STATUSES: readonly SessionStatus[] = [
  'pending',
  'paid',
  'completed',
  'expired',
  'cancelled',
  'failed',
  'refunded',
];
/** Seconds; asking more often than once a second helps nobody. */
const SHORTEST_POLL = 1;

export function course(fields: Fields): Course {
  return {
    id: fields.text('id'),
    title: fields.text('title'),
    description: fields.text('description'),
    level: fields.text('level'),
    estimatedHours: fields.number('estimated_hours'),
    isFree: fields.truth('is_free'),
    amount: fields.integer('amount'),
    currency: fields.text('currency'),
    licenseDays: fields.integer('license_days'),
    owned: fields.optional('owned', fields.truth) ?? false,
    buyUrl: fields.address('buy_url'),
  };
}

export function session(fields: Fields): Session {
  const license = fields.optional('license', fields.object);
  return {
    id: fields.text('id'),
    status: fields.oneOf('status', STATUSES),
    product: product(fields.object('product')),
    amount: fields.integer('amount'),
    currency: fields.text('currency'),
    paymentMethod: fields.text('payment_method'),
    paymentUrl: fields.address('payment_url'),
    codeUrl: fields.optional('code_url', fields.text),
    qrSvg: fields.optional('qr_svg', fields.text),
    expiresAt: fields.moment('expires_at'),
    pollAfter: Math.max(fields.optional('poll_after', fields.number) ?? 0, SHORTEST_POLL),
    license: license && sessionLicense(license),
    message: fields.optional('message', fields.text) ?? '',
  };
}

function product(fields: Fields): Product {
  return { id: fields.text('id'), kind: fields.text('kind'), title: fields.text('title') };
}

function sessionLicense(fields: Fields): SessionLicense {
  return {
    id: fields.text('id'),
    courseId: fields.text('course_id'),
    key: fields.text('key'),
    expiresAt: fields.moment('expires_at'),
  };
}

export function transactionPage(fields: Fields): TransactionPage {
  return {
    items: fields.objects('items', transaction),
    page: fields.integer('page'),
    limit: fields.integer('limit'),
    total: fields.integer('total'),
  };
}

function transaction(fields: Fields): Transaction {
  return {
    id: fields.text('id'),
    sessionId: fields.text('session_id'),
    type: fields.text('type'),
    status: fields.text('status'),
    amount: fields.integer('amount'),
    currency: fields.text('currency'),
    paymentMethod: fields.text('payment_method'),
    product: product(fields.object('product')),
    transactionId: fields.optional('transaction_id', fields.text),
    createdAt: fields.moment('created_at'),
    paidAt: fields.optional('paid_at', fields.moment),
    licenseId: fields.optional('license_id', fields.text),
  };
}

export function paymentMethod(fields: Fields): PaymentMethod {
  return {
    id: fields.text('id'),
    name: fields.text('name'),
    available: fields.truth('available'),
    currencies: fields.texts('currencies'),
    kinds: fields.texts('kinds'),
  };
}

export function ownedLicense(fields: Fields): OwnedLicense {
  return {
    id: fields.text('id'),
    courseId: fields.text('course_id'),
    status: fields.text('status'),
    issuedAt: fields.moment('issued_at'),
    expiresAt: fields.moment('expires_at'),
    orderId: fields.optional('order_id', fields.text),
    key: fields.optional('key', fields.text),
  };
}

export function onlineVerdict(fields: Fields): OnlineVerdict {
  return {
    valid: fields.truth('valid'),
    code: fields.oneOf('code', LICENSE_CODES),
    checkedAt: fields.moment('checked_at'),
  };
}

export function publicKey(fields: Fields): PublicKey {
  return {
    kid: fields.text('kid'),
    alg: fields.text('alg'),
    pem: fields.text('pem'),
    status: fields.text('status'),
    notBefore: fields.moment('not_before'),
    notAfter: fields.optional('not_after', fields.moment),
  };
}

export function me(fields: Fields): Me {
  return {
    id: fields.text('id'),
    email: fields.text('email'),
    locale: fields.text('locale'),
    role: fields.text('role'),
  };
}
