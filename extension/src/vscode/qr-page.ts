import type { Session } from '../core/types.js';
import { localTime, price, type Words } from './words.js';

/**
 * The page of the QR webview. It has no script, and its policy lets none run: the picture comes in as an
 * image (scripts in it would not run either), every text is escaped, and `nonce` admits our one style sheet.
 */
export function qrPage(session: Session, words: Words, language: string, nonce: string): string {
  const { title } = session.product;
  return `<!DOCTYPE html>
<html lang="${language}">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'nonce-${escape(nonce)}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(words.qrTitle)}</title>
<style nonce="${escape(nonce)}">
body { max-width: 30rem; margin: 2rem auto; padding: 0 1rem; text-align: center; }
.code { width: 17rem; height: 17rem; background: #fff; }
.price { font-size: 1.6rem; }
</style>
</head>
<body>
<h1>${escape(title)}</h1>
<p class="price">${escape(price(session.amount, session.currency))}</p>
${codePart(session, words)}
<p role="status">${escape(session.message)}</p>
<p><a href="${escape(session.paymentUrl)}">${escape(words.qrPage)}</a></p>
</body>
</html>`;
}

function codePart(session: Session, words: Words): string {
  if (session.status !== 'pending') {
    return ''; // an old code must not be scanned
  }
  if (session.qrSvg === undefined) {
    return `<p>${escape(words.qrNotYet)}</p>`;
  }
  const picture = Buffer.from(session.qrSvg, 'utf8').toString('base64');
  return `<p><img class="code" src="data:image/svg+xml;base64,${picture}" alt="${escape(words.qrAlt)}"></p>
<p>${escape(words.qrHow)}</p>
<p>${escape(words.qrUntil(localTime(session.expiresAt)))}</p>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text as HTML, in elements and in quoted attributes. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
