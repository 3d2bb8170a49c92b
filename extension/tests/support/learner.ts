/** A learner at a browser without script: cookies, pages and forms over real HTTP. */
export class Learner {
  private readonly cookies = new Map<string, string>();

  constructor(
    private readonly url: string,
    readonly email: string,
  ) {}

  async signIn(password: string): Promise<void> {
    await this.post('/login', { email: this.email, password }, '/login');
  }

  /** Types the code of an editor and presses a button of the page that follows. */
  async decide(verificationUriComplete: string, decision: 'allow' | 'deny'): Promise<void> {
    const entry = new URL(verificationUriComplete);
    const code = entry.searchParams.get('user_code') ?? '';
    const grant = await this.post(
      '/device',
      { user_code: code.toLowerCase() },
      entry.pathname + entry.search,
    );
    await this.post(`${grant}/${decision}`, {}, grant);
  }

  /** Disconnects every editor in the account. */
  async disconnectEditors(): Promise<number> {
    const page = await this.page('/account/devices');
    const actions = [...page.matchAll(/action="([^"]*\/editors\/[^"]+)"/g)].map((match) => match[1] ?? '');
    for (const action of actions) {
      await this.post(action, {}, '/account/devices');
    }
    return actions.length;
  }

  /** Opens a page and returns its text. */
  async page(path: string): Promise<string> {
    const response = await this.request(path, {});
    if (response.status !== 200) {
      throw new Error(`GET ${path} answered ${response.status}`);
    }
    return response.text();
  }

  /** Sends a form with the token of `page`; returns the path of the page that follows. */
  private async post(path: string, form: Record<string, string>, page: string): Promise<string> {
    const token = /name="csrf_token"[^>]*value="([^"]+)"/.exec(await this.page(page))?.[1] ?? '';
    const response = await this.request(path, {
      method: 'POST',
      body: new URLSearchParams({ csrf_token: token, ...form }),
    });
    const location = response.headers.get('Location');
    if (response.status !== 303 || location === null) {
      throw new Error(`POST ${path} answered ${response.status}`);
    }
    return new URL(location, this.url).pathname;
  }

  private async request(path: string, init: RequestInit): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { Cookie: cookie, 'Accept-Language': 'en', Accept: 'text/html' };
    const response = await fetch(this.url + path, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.cookies.set(name, value);
    }
    return response;
  }
}
