import { session } from './decode.js';
import { AlreadyOwned, AlreadyPaid, PortalProblem, UnexpectedAnswer, type ProblemFacts } from './errors.js';
import { BadField, Fields } from './fields.js';
import type { Answer } from './transport.js';

/** What a refusal means: problem+json (RFC 9457), or OAuth's `{"error": …}` (RFC 6749, section 5.2). */
export function problemOf(answer: Answer): PortalProblem | UnexpectedAnswer {
  let body: Fields;
  try {
    body = new Fields(JSON.parse(answer.text));
  } catch {
    return bareProblem(answer);
  }
  const code = textOf(body, 'code') ?? textOf(body, 'error');
  return code === undefined ? bareProblem(answer) : typedProblem(factsOf(answer, body, code), body);
}

/**
 * A refusal without the portal's words. Servers in front of it speak for it when it is overloaded or away
 * (429, 5xx); any other page is not from it at all.
 */
function bareProblem(answer: Answer): PortalProblem | UnexpectedAnswer {
  if (answer.status === 429 || answer.status >= 500) {
    return new PortalProblem({
      status: answer.status,
      code: answer.status === 429 ? 'too_many' : 'unavailable',
      title: `HTTP ${answer.status}`,
      detail: '',
      retryAfter: retryAfterOf(answer),
      requestId: '',
      errors: [],
    });
  }
  return new UnexpectedAnswer(`HTTP ${answer.status} is not an answer of the portal.`, answer.status);
}

function factsOf(answer: Answer, body: Fields, code: string): ProblemFacts {
  return {
    status: answer.status,
    code,
    title: textOf(body, 'title') ?? code,
    detail: textOf(body, 'detail') ?? textOf(body, 'error_description') ?? '',
    retryAfter: retryAfterOf(answer),
    requestId: textOf(body, 'request_id') ?? answer.headers.get('X-Request-Id') ?? '',
    errors:
      lenient(() =>
        body.objects('errors', (item) => ({ field: item.text('field'), message: item.text('message') })),
      ) ?? [],
  };
}

function typedProblem(facts: ProblemFacts, body: Fields): PortalProblem {
  if (facts.code === 'already_owned') {
    return new AlreadyOwned(facts, textOf(body, 'license_id'));
  }
  if (facts.code === 'already_paid') {
    const current = lenient(() => session(body.object('session')));
    return current === undefined ? new PortalProblem(facts) : new AlreadyPaid(facts, current);
  }
  return new PortalProblem(facts);
}

/** Seconds of Retry-After; the portal sends seconds, proxies may send a date. */
export function retryAfterOf(answer: Pick<Answer, 'headers'>): number | undefined {
  const text = answer.headers.get('Retry-After');
  if (text === null) {
    return undefined;
  }
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}

function textOf(fields: Fields, name: string): string | undefined {
  return lenient(() => fields.text(name));
}

/** A refusal is told even if a part of it cannot be read. */
function lenient<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof BadField) {
      return undefined;
    }
    throw error;
  }
}
