import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the fake portal got it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly form: URLSearchParams;
}

/** What it says to that. `body` is sent as JSON unless it is text; `hangUp` sends nothing at all. */
export interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly hangUp?: boolean;
  readonly never?: boolean;
}

/** A script for one route: a reply, one after the other (the last for ever), or made from the request. */
export type Script = Reply | readonly Reply[] | ((seen: Seen) => Reply);

/** A web server that answers by script: `portal.on('GET /api/v1/me', {body: …})`. */
export class FakePortal {
  readonly seen: Seen[] = [];
  private readonly scripts = new Map<string, Script>();
  private readonly counts = new Map<string, number>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<FakePortal> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const portal = new FakePortal(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = new URL(request.url ?? '/', portal.url);
        const body = Buffer.concat(chunks).toString('utf8');
        const reply = portal.reply({
          method: request.method ?? '',
          path: url.pathname,
          query: url.searchParams,
          headers: request.headers,
          body,
          form: new URLSearchParams(body),
        });
        if (reply.never) {
          return;
        }
        if (reply.hangUp) {
          request.socket.destroy();
          return;
        }
        const isText = typeof reply.body === 'string';
        const type = isText
          ? 'text/plain'
          : (reply.status ?? 200) >= 400
            ? 'application/problem+json'
            : 'application/json';
        response.writeHead(reply.status ?? 200, { 'Content-Type': type, ...reply.headers });
        response.end(reply.body === undefined ? '' : isText ? reply.body : JSON.stringify(reply.body));
      });
    });
    return portal;
  }

  /** Answers `route` (`GET /path`) by `script` from now on. */
  on(route: string, script: Script): this {
    this.scripts.set(route, script);
    this.counts.delete(route);
    return this;
  }

  /** The requests of a route, oldest first. */
  calls(route: string): Seen[] {
    return this.seen.filter((one) => `${one.method} ${one.path}` === route);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private reply(seen: Seen): Reply {
    this.seen.push(seen);
    const route = `${seen.method} ${seen.path}`;
    const script = this.scripts.get(route);
    if (script === undefined) {
      return problem(404, 'not_found');
    }
    if (typeof script === 'function') {
      return script(seen);
    }
    if (!isList(script)) {
      return script;
    }
    const count = this.counts.get(route) ?? 0;
    this.counts.set(route, count + 1);
    return script[Math.min(count, script.length - 1)] ?? problem(500, 'internal');
  }
}

function isList(script: Reply | readonly Reply[]): script is readonly Reply[] {
  return Array.isArray(script);
}

/** A refusal of the API. */
export function problem(
  status: number,
  code: string,
  more: object = {},
  headers: Record<string, string> = {},
): Reply {
  const body = {
    type: 'about:blank',
    title: code,
    status,
    detail: `About ${code}.`,
    code,
    request_id: 'r-1',
    ...more,
  };
  return { status, body, headers };
}

/** A refusal of the token endpoint. */
export function oauthError(error: string, status = 400): Reply {
  return { status, body: { error, error_description: error } };
}

/** An answer of the token endpoint; `n` tells the tokens of one answer from those of the next. */
export function tokenReply(n: number, expiresIn = 3600): Reply {
  return {
    body: {
      access_token: `access-${n}`,
      token_type: 'Bearer',
      expires_in: expiresIn,
      refresh_token: `refresh-${n}`,
      scope: 'catalog purchase licenses',
    },
  };
}

/** A session as the API writes it. */
export function sessionBody(more: object = {}): object {
  return {
    id: '8k3hq2v9x0m4t7w1c5zr',
    status: 'pending',
    product: { id: 'cpp-primer-5th', kind: 'course', title: 'C++ Primer 5th Edition' },
    amount: 9900,
    currency: 'CNY',
    payment_method: 'wechat_pay',
    payment_url: 'http://127.0.0.1:8000/checkout/8k3hq2v9x0m4t7w1c5zr',
    code_url: 'weixin://wxpay/bizpayurl?pr=AbCdEf',
    qr_svg: '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    expires_at: '2026-11-20T09:00:00.000Z',
    poll_after: 2,
    license: null,
    message: 'Scan the code with WeChat and pay.',
    ...more,
  };
}
