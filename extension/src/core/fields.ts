/** The value is not what was expected; `path` says where. Never quotes the value: it may be a secret. */
export class BadField extends Error {
  constructor(readonly path: string) {
    super(`${path} is not as expected`);
    this.name = 'BadField';
  }
}

/** Reads an object that came from outside, field by field. Fields it is not asked for do not matter. */
export class Fields {
  private readonly record: Readonly<Record<string, unknown>>;

  constructor(
    value: unknown,
    private readonly path = 'answer',
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new BadField(path);
    }
    this.record = value as Record<string, unknown>;
  }

  text(name: string): string {
    const value = this.record[name];
    if (typeof value !== 'string') {
      throw this.bad(name);
    }
    return value;
  }

  /** A moment as ISO 8601 text. */
  moment(name: string): string {
    const value = this.text(name);
    if (Number.isNaN(Date.parse(value))) {
      throw this.bad(name);
    }
    return value;
  }

  /** An address that may be opened in a browser: https, or http on this very machine. */
  address(name: string): string {
    const value = this.text(name);
    if (!isSafeAddress(value)) {
      throw this.bad(name);
    }
    return value;
  }

  number(name: string): number {
    const value = this.record[name];
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw this.bad(name);
    }
    return value;
  }

  integer(name: string): number {
    const value = this.number(name);
    if (!Number.isSafeInteger(value)) {
      throw this.bad(name);
    }
    return value;
  }

  truth(name: string): boolean {
    const value = this.record[name];
    if (typeof value !== 'boolean') {
      throw this.bad(name);
    }
    return value;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.text(name);
    const found = allowed.find((one) => one === value);
    if (found === undefined) {
      throw this.bad(name);
    }
    return found;
  }

  /** What `read` makes of the field; `undefined` where it is null or missing. */
  optional<T>(name: string, read: (name: string) => T): T | undefined {
    const value = this.record[name];
    return value === null || value === undefined ? undefined : read.call(this, name);
  }

  object(name: string): Fields {
    return new Fields(this.record[name], `${this.path}.${name}`);
  }

  list<T>(name: string, read: (item: unknown, path: string) => T): T[] {
    const value = this.record[name];
    if (!Array.isArray(value)) {
      throw this.bad(name);
    }
    return value.map((item: unknown, index) => read(item, `${this.path}.${name}[${index}]`));
  }

  objects<T>(name: string, read: (item: Fields) => T): T[] {
    return this.list(name, (item, path) => read(new Fields(item, path)));
  }

  texts(name: string): string[] {
    return this.list(name, (item, path) => {
      if (typeof item !== 'string') {
        throw new BadField(path);
      }
      return item;
    });
  }

  private bad(name: string): BadField {
    return new BadField(`${this.path}.${name}`);
  }
}

/** Tells whether `address` is https, or http on this very machine (where nobody can listen in between). */
export function isSafeAddress(address: string): boolean {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return false;
  }
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
