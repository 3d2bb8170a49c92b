/** The client's core: no dependency but Node, and nothing of VS Code. */
export { systemClock, type Clock } from './clock.js';
export type { DeviceCode } from './device-login.js';
export {
  AlreadyOwned,
  AlreadyPaid,
  DeviceLoginFailed,
  isAbort,
  NetworkError,
  PortalError,
  PortalProblem,
  SignInRequired,
  UnexpectedAnswer,
  type FieldError,
} from './errors.js';
export { verifyLicense, type GiteeFields, type LicenseFields, type Verdict } from './license.js';
export {
  PortalClient,
  SCOPE,
  type CallOptions,
  type CreateSessionOptions,
  type PortalClientOptions,
} from './portal-client.js';
export { readRevocations } from './revocations.js';
export { COMPROMISED_KEYS } from './signed-text.js';
export { MemoryTokenStore, tokensFromText, tokensToText, type Tokens, type TokenStore } from './tokens.js';
export type { Fetch } from './transport.js';
export { MemoryTextCache, TrustStore, type TextCache, type Trust } from './trust.js';
export * from './types.js';
export { isFinal, type WatchOptions } from './watch.js';
