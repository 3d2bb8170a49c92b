import type { LicenseCode, SessionStatus } from '../core/types.js';

/** Everything the flow says. Both languages have this type, so neither can lack a sentence. */
export interface Words {
  readonly signInAsk: (code: string) => string;
  readonly signInDetail: string;
  readonly signInWait: (code: string) => string;
  readonly signInByHand: (code: string, address: string) => string;
  readonly signedIn: string;
  readonly signedOut: string;
  readonly signInDenied: string;
  readonly signInExpired: string;
  readonly signInEnded: string;
  readonly opening: string;
  readonly paying: (title: string, price: string) => string;
  readonly payHint: string;
  readonly payByHand: (address: string) => string;
  readonly cancelling: string;
  readonly checking: string;
  readonly offlineWaiting: string;
  readonly onlineAgain: string;
  readonly completed: (title: string) => string;
  readonly notVerified: (code: LicenseCode) => string;
  readonly withoutLicense: (message: string) => string;
  readonly alreadyOwned: string;
  readonly alreadyOwnedPreparing: string;
  readonly cancelled: string;
  readonly cancelUnknown: (time: string) => string;
  readonly stillPaying: string;
  readonly expired: string;
  readonly failed: (message: string) => string;
  readonly refunded: (message: string) => string;
  readonly offline: string;
  readonly unavailable: string;
  readonly tooMany: (seconds: number) => string;
  readonly strangeAnswer: string;
  readonly refused: (detail: string, requestId: string) => string;
  readonly broken: string;
  readonly noLicense: string;
  readonly licenseValid: (until: string) => string;
  readonly licenseStale: string;
  readonly license: Readonly<Record<Exclude<LicenseCode, 'VALID'>, string>>;
  readonly historyTitle: string;
  readonly historyEmpty: string;
  readonly historyMore: string;
  readonly status: Readonly<Record<SessionStatus, string>>;
  readonly qrTitle: string;
  readonly qrAlt: string;
  readonly qrHow: string;
  readonly qrUntil: (time: string) => string;
  readonly qrNotYet: string;
  readonly qrPage: string;
  readonly openBrowser: string;
  readonly copyAddress: string;
  readonly showQr: string;
  readonly tryAgain: string;
  readonly checkAgain: string;
  readonly signInButton: string;
  readonly buyAgain: string;
  readonly showHistory: string;
}

const ZH: Words = {
  signInAsk: (code) => `登录 Learning Buddy：您的代码是 ${code}`,
  signInDetail: '浏览器将打开确认页面。请核对页面上的代码与此处一致，然后允许此编辑器。',
  signInWait: (code) => `请在浏览器中确认代码 ${code}`,
  signInByHand: (code, address) => `无法打开浏览器。请访问 ${address} 并输入代码 ${code}。`,
  signedIn: '已登录 Learning Buddy。',
  signedOut: '已退出登录。',
  signInDenied: '登录被拒绝。如果不是您本人操作，则无需再做什么。',
  signInExpired: '登录代码已失效，请重新登录。',
  signInEnded: '登录已失效。您的订单和付款不受影响，请重新登录后继续。',
  opening: '正在创建支付…',
  paying: (title, price) => `微信支付：${title}，${price}`,
  payHint: '支付页面已在浏览器中打开，请用微信扫码支付。',
  payByHand: (address) => `无法打开浏览器，请访问 ${address}，或扫描此处显示的二维码。`,
  cancelling: '正在取消…',
  checking: '正在向微信确认付款，请不要重复支付。',
  offlineWaiting: '网络已断开，恢复后自动继续。',
  onlineAgain: '网络已恢复，正在等待付款。',
  completed: (title) => `已付款，《${title}》的许可证已就绪。`,
  notVerified: (code) =>
    `已付款，许可证已保存，但暂时无法在本机验证（${code}）。联网后请再次查看许可证状态。`,
  withoutLicense: (message) => message || '此订单的许可证已被吊销。',
  alreadyOwned: '您已拥有此课程，许可证已保存到此编辑器，无需付款。',
  alreadyOwnedPreparing: '您已拥有此课程，许可证正在生成，请稍后查看。无需再付款。',
  cancelled: '订单已取消，您没有被扣款。',
  cancelUnknown: (time) => `暂时无法确认取消。订单最晚于 ${time} 自动失效；如不想购买，请不要付款。`,
  stillPaying: '订单仍然有效。付款后，请再次点击购买，许可证会自动送达。',
  expired: '支付时间已过，二维码已失效。如果您刚刚付了款，请点“再次检查”。',
  failed: (message) => message || '支付未完成，请重试。',
  refunded: (message) => message || '款项将原路退回。',
  offline: '连不上网络或服务器。请检查网络后重试，不会重复下单。',
  unavailable: '微信支付或服务器暂时不可用，请稍后重试，不会重复下单。',
  tooMany: (seconds) => `操作太频繁，请在 ${seconds} 秒后重试。`,
  strangeAnswer: '收到的不是服务器的回答。您的网络可能需要先登录（如公共 Wi-Fi），或需要更新扩展。',
  refused: (detail, requestId) => (requestId ? `${detail}（请求编号 ${requestId}）` : detail),
  broken: '出现意外错误，请重试。',
  noLicense: '此编辑器中没有该课程的许可证。',
  licenseValid: (until) => `许可证有效，至 ${until}。`,
  licenseStale: '（离线，吊销列表尚未更新）',
  license: {
    MALFORMED: '许可证文本已损坏。',
    BAD_SIGNATURE: '许可证的签名不正确，文本可能被改动过。',
    UNKNOWN_KEY: '不认识签署此许可证的密钥。请联网后重试。',
    EXPIRED: '许可证已过期。',
    REVOKED: '许可证已被吊销。如不清楚原因，请联系我们。',
    COURSE_MISMATCH: '此许可证属于另一门课程。',
  },
  historyTitle: '购买记录',
  historyEmpty: '还没有购买记录。',
  historyMore: '更多…',
  status: {
    pending: '待支付',
    paid: '已付款，正在生成许可证',
    completed: '已完成',
    expired: '已过期',
    cancelled: '已取消',
    failed: '未完成',
    refunded: '已退款',
  },
  qrTitle: '微信支付',
  qrAlt: '微信支付二维码',
  qrHow: '打开微信，点右上角 +，选“扫一扫”。请勿截图后从相册识别。',
  qrUntil: (time) => `请在 ${time} 前支付。`,
  qrNotYet: '二维码正在准备，稍后会自动显示。',
  qrPage: '在浏览器中打开支付页面',
  openBrowser: '打开浏览器',
  copyAddress: '复制网址',
  showQr: '在此显示二维码',
  tryAgain: '重试',
  checkAgain: '再次检查',
  signInButton: '登录',
  buyAgain: '购买',
  showHistory: '购买记录',
};

const EN: Words = {
  signInAsk: (code) => `Sign in to Learning Buddy: your code is ${code}`,
  signInDetail: 'A page opens in your browser. Check that it shows this very code, then allow this editor.',
  signInWait: (code) => `Confirm the code ${code} in your browser`,
  signInByHand: (code, address) => `The browser did not open. Go to ${address} and enter the code ${code}.`,
  signedIn: 'You are signed in to Learning Buddy.',
  signedOut: 'You are signed out.',
  signInDenied: 'The sign-in was refused. If that was not you, there is nothing more to do.',
  signInExpired: 'The sign-in code is no longer valid. Please sign in again.',
  signInEnded: 'Your sign-in has ended. Orders and payments are not affected; sign in again to go on.',
  opening: 'Creating the payment…',
  paying: (title, price) => `WeChat Pay: ${title}, ${price}`,
  payHint: 'The payment page is open in your browser. Scan its code with WeChat.',
  payByHand: (address) => `The browser did not open. Go to ${address}, or scan the code shown here.`,
  cancelling: 'Cancelling…',
  checking: 'Checking with WeChat Pay. Please do not pay again.',
  offlineWaiting: 'You are offline. This goes on by itself when the connection is back.',
  onlineAgain: 'You are online again. Waiting for the payment.',
  completed: (title) => `Paid. Your license for ${title} is ready.`,
  notVerified: (code) =>
    `Paid. Your license is saved, but cannot be verified here yet (${code}). Look at its status again when online.`,
  withoutLicense: (message) => message || 'The license of this order was revoked.',
  alreadyOwned: 'You own this course. Its license is saved in this editor; there is nothing to pay.',
  alreadyOwnedPreparing:
    'You own this course. Its license is being made; look again later. There is nothing to pay.',
  cancelled: 'The order is cancelled and you were not charged.',
  cancelUnknown: (time) =>
    `The cancellation could not be confirmed. The order ends by itself at ${time}; do not pay if you do not want it.`,
  stillPaying:
    'The order stays open. Once you have paid, choose to buy again and the license arrives by itself.',
  expired:
    'The time to pay is over and the code no longer works. If you have just paid, choose "Check again".',
  failed: (message) => message || 'The payment was not completed. Please try again.',
  refunded: (message) => message || 'The money goes back the way it came.',
  offline:
    'The network or the server cannot be reached. Check your connection and try again; nothing is ordered twice.',
  unavailable: 'WeChat Pay or the server is not available. Try again in a moment; nothing is ordered twice.',
  tooMany: (seconds) => `Too many requests. Try again in ${seconds} s.`,
  strangeAnswer:
    'The answer did not come from the server. Your network may want you to sign in first (a hotspot, say), or the extension needs an update.',
  refused: (detail, requestId) => (requestId ? `${detail} (request ${requestId})` : detail),
  broken: 'Something unexpected went wrong. Please try again.',
  noLicense: 'There is no license for this course in this editor.',
  licenseValid: (until) => `The license is valid until ${until}.`,
  licenseStale: ' (offline; the list of revoked licenses is not up to date)',
  license: {
    MALFORMED: 'The license text is damaged.',
    BAD_SIGNATURE: 'The signature of the license is wrong: its text may have been changed.',
    UNKNOWN_KEY: 'The key that signed this license is not known. Try again when online.',
    EXPIRED: 'The license has expired.',
    REVOKED: 'The license was revoked. If you do not know why, please write to us.',
    COURSE_MISMATCH: 'This license is for another course.',
  },
  historyTitle: 'Purchases',
  historyEmpty: 'There are no purchases yet.',
  historyMore: 'More…',
  status: {
    pending: 'Waiting for payment',
    paid: 'Paid, license being made',
    completed: 'Completed',
    expired: 'Expired',
    cancelled: 'Cancelled',
    failed: 'Not completed',
    refunded: 'Refunded',
  },
  qrTitle: 'WeChat Pay',
  qrAlt: 'QR code for WeChat Pay',
  qrHow: 'Open WeChat, tap + at the top right, then Scan. A screenshot from your album does not work.',
  qrUntil: (time) => `Pay before ${time}.`,
  qrNotYet: 'The code is being prepared and appears by itself.',
  qrPage: 'Open the payment page in the browser',
  openBrowser: 'Open Browser',
  copyAddress: 'Copy Address',
  showQr: 'Show QR Code Here',
  tryAgain: 'Try Again',
  checkAgain: 'Check Again',
  signInButton: 'Sign In',
  buyAgain: 'Buy',
  showHistory: 'Purchases',
};

/** The words for an editor's language: Chinese for every `zh…`, else English. */
export function wordsFor(language: string): Words {
  return language.toLowerCase().startsWith('zh') ? ZH : EN;
}

/** The Accept-Language that fits the words. */
export function portalLanguage(language: string): string {
  return language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

/** An amount as people read it: 9900 fen are `¥99.00`. No floating point comes near it. */
export function price(amount: number, currency: string): string {
  const digits = String(Math.abs(amount)).padStart(3, '0');
  const text = `${amount < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
  return currency === 'CNY' ? `¥${text}` : `${text} ${currency}`;
}

/** A moment in the learner's own time, like `2026-11-20 16:00`. */
export function localTime(iso: string): string {
  const at = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
