import { describe, expect, it } from 'vitest';
import { session as readSession } from '../../../src/core/decode.js';
import { Fields } from '../../../src/core/fields.js';
import { qrPage } from '../../../src/vscode/qr-page.js';
import { localTime, price, portalLanguage, wordsFor } from '../../../src/vscode/words.js';
import { sessionBody } from '../../support/fake-portal.js';

const page = (more: object = {}): string =>
  qrPage(readSession(new Fields(sessionBody(more))), wordsFor('en'), 'en', 'bm9uY2U=');

describe('the page with the code', () => {
  it('lets nothing run and nothing in but its picture and its style', () => {
    expect(page()).toContain(`content="default-src 'none'; img-src data:; style-src 'nonce-bm9uY2U='"`);
    expect(page()).not.toMatch(/<script|onload|https:\/\/(?!127)/i);
  });

  it('puts the picture in as an image, so that nothing in it is markup here', () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
    const html = page({ qr_svg: svg });
    expect(html).not.toContain('alert(1)');
    expect(html).toContain(Buffer.from(svg).toString('base64'));
  });

  it('escapes all texts of the portal', () => {
    const evil = `"><img src=x onerror='alert(1)'>&`;
    const html = page({ message: evil, product: { id: 'a', kind: 'course', title: evil } });
    expect(html).not.toContain('<img src=x');
    expect(html.match(/&quot;&gt;&lt;img src=x onerror=&#39;alert\(1\)&#39;&gt;&amp;/g)).toHaveLength(2);
  });

  it('takes no address that is not one', () => {
    expect(() => page({ payment_url: 'javascript:alert(1)' })).toThrow('payment_url');
  });

  it('shows no code that must not be scanned any more', () => {
    expect(page({ status: 'paid' })).not.toContain('<img');
    expect(page({ status: 'expired' })).not.toContain('<img');
  });

  it('says that the code is being prepared', () => {
    expect(page({ qr_svg: null, code_url: null })).toContain('being prepared');
  });
});

describe('words', () => {
  it('are as many in both languages, and none is empty', () => {
    const [zh, en] = [wordsFor('zh-cn'), wordsFor('de')];
    expect(Object.keys(zh)).toEqual(Object.keys(en));
    expect(Object.keys(zh.license)).toEqual(Object.keys(en.license));
    expect(Object.keys(zh.status)).toEqual(Object.keys(en.status));
    for (const words of [zh, en]) {
      expect(Object.values(words).every((one) => one !== '')).toBe(true);
    }
    expect([portalLanguage('zh-tw'), portalLanguage('en'), portalLanguage('fr')]).toEqual([
      'zh-CN',
      'en',
      'en',
    ]);
  });

  it('write money without rounding', () => {
    expect([
      price(9900, 'CNY'),
      price(1, 'CNY'),
      price(0, 'CNY'),
      price(-1250, 'CNY'),
      price(123456789, 'USD'),
    ]).toEqual(['¥99.00', '¥0.01', '¥0.00', '¥-12.50', '1234567.89 USD']);
  });

  it('write the learner’s own time', () => {
    expect(localTime('2026-11-20T08:00:00.000Z')).toMatch(/^2026-11-\d\d \d\d:\d\d$/);
  });
});
