"""The floor of what a browser reads: formatted strings around the same rows, of about the same length."""

import hashlib
import hmac
import json
import os
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from html import escape
from typing import Any

from bench.floor.database import read
from bench.floor.money import stamp

_COOKIE_KEY = hmac.digest(os.environ["SECRET_KEY"].encode(), b"cookie-session", "sha1")
_FORM_KEY = hashlib.sha1(b"wtf-csrf-tokensigner" + os.environ["SECRET_KEY"].encode()).digest()  # noqa: S324

_SESSION = (
    "SELECT l.id, l.public_id, l.email, l.role, l.locale, l.disabled_at, l.created_at, s.id, s.public_id,"
    " s.user_agent, s.address, s.created_at, s.last_seen_at, s.expires_at"
    " FROM learners l JOIN login_sessions s ON s.learner_id = l.id"
    " WHERE s.token_hash = %s AND s.expires_at > %s AND l.disabled_at IS NULL AND s.last_seen_at > %s"
)
_TWO_WEEKS = 14 * 86400.0


def _signed(text: str, key: bytes) -> str:
    return f"{text}.{urlsafe_b64encode(hmac.digest(key, text.encode(), 'sha1')).decode().rstrip('=')}"


def cookie(environ: dict[str, Any]) -> dict[str, Any]:
    """Return what is in the browser's cookie, whose signature is checked."""
    signed = environ["HTTP_COOKIE"].partition("sid=")[2]
    payload, _, _signature = signed.rpartition(".")
    if not hmac.compare_digest(_signed(payload, _COOKIE_KEY), signed):
        return {}
    data = payload.rpartition(".")[0]
    raw = urlsafe_b64decode(data.lstrip(".") + "==")
    found: dict[str, Any] = json.loads(zlib.decompress(raw) if data.startswith(".") else raw)
    return found


def learner(environ: dict[str, Any]) -> tuple[Any, ...]:
    """Return the row of whoever is signed in."""
    secret = hashlib.sha256(cookie(environ)["secret"].encode()).hexdigest()
    return read(_SESSION, secret, stamp(), stamp(-_TWO_WEEKS))[0]


def _token(environ: dict[str, Any]) -> str:
    """Return the signed token that every form carries."""
    return _signed(urlsafe_b64encode(cookie(environ)["csrf_token"].encode()).decode(), _FORM_KEY)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def poll(environ: dict[str, Any], order_id: str) -> tuple[str, bytes, str]:
    """Return status line, body and tag of a poll: one row when nothing changed, else all that is shown."""
    buyer = learner(environ)
    row = read(
        "SELECT version, status, closing, expires_at, paid_at FROM orders WHERE public_id = %s AND learner_id = %s",
        order_id, buyer[0],
    )[0]  # fmt: skip
    is_over = row[1] == "pending" and str(row[3]) <= stamp()
    etag = f'"{row[0]}-{row[1]}-{int(is_over)}-zh"'
    if environ.get("HTTP_IF_NONE_MATCH") == etag:
        return "304 Not Modified", b"", etag
    order = read(
        "SELECT o.title_zh, o.amount_fen, o.status, o.version, o.created_at, o.expires_at, o.license_days,"
        " o.max_downloads, p.status, p.code_url, p.failure_code, l.id, l.text, l.expires_at,"
        " EXISTS (SELECT 1 FROM payments s WHERE s.order_id = o.id AND s.code_url IS NOT NULL),"
        " EXISTS (SELECT 1 FROM cases c WHERE c.order_id = o.id AND c.status = 'open'"
        " AND c.kind IN ('mismatch', 'duplicate', 'late_unwanted'))"
        " FROM orders o LEFT JOIN payments p"
        " ON p.id = (SELECT MAX(a.id) FROM payments a WHERE a.order_id = o.id)"
        " LEFT JOIN entitlements e ON e.order_id = o.id LEFT JOIN licenses l ON l.active_key = e.id"
        " WHERE o.public_id = %s AND o.learner_id = %s",
        order_id, buyer[0],
    )[0]  # fmt: skip
    html = _STATUS.format(
        id=order_id, price=f"¥{order[1] / 100:.2f}", version=order[3], token=_token(environ), code=escape(order[9]),
        mark=buyer[1][:4].upper(), until=_moment(order[5]).isoformat(),
    )  # fmt: skip
    body = {"state": "awaiting_payment", "html": html, "stop": False, "next_ms": 2000}
    return "200 OK", json.dumps(body, ensure_ascii=False).encode(), etag


def catalogue(environ: dict[str, Any]) -> bytes:
    """Return the page of all courses."""
    rows = read(
        "SELECT p.id, p.kind, p.title_zh, p.title_en, p.summary_zh, p.summary_en, p.price_fen, p.currency,"
        " p.is_on_sale, p.position, p.updated_at, c.level, c.estimated_hours, c.license_days, c.max_downloads,"
        " c.chapters, c.gitee FROM products p JOIN courses c ON c.id = p.id"
        " WHERE p.is_on_sale = 1 ORDER BY p.position, p.id"
    )
    cards = "".join(
        _CARD.format(
            id=row[0], cover=hashlib.sha256(row[0].encode()).digest()[0] % 6, letters=escape(row[2][:1]),
            title=escape(row[2]), summary=escape(row[4]), hours=row[12], days=row[13], price=f"¥{row[6] / 100:.2f}",
        )
        for row in rows
    )  # fmt: skip
    token = _token(environ)
    return (_HEAD.format(title="课程", token=token) + _SEARCH + cards + "</ul>" + _FOOT).encode()


def orders(environ: dict[str, Any]) -> bytes:
    """Return the page of a learner's orders."""
    buyer = learner(environ)[0]
    rows = read(
        "SELECT o.public_id, o.title_zh, o.created_at, o.amount_fen, o.status, o.closing, o.expires_at, l.id"
        " FROM orders o LEFT JOIN entitlements e ON e.order_id = o.id LEFT JOIN licenses l ON l.active_key = e.id"
        " WHERE o.learner_id = %s ORDER BY o.created_at DESC, o.id DESC LIMIT 20 OFFSET 0",
        buyer,
    )
    read("SELECT COUNT(*) FROM orders WHERE learner_id = %s", buyer)
    lines = []
    for row in rows:
        day = _moment(row[2])
        lines.append(
            _LINE.format(
                id=row[0], title=escape(row[1]), at=day.isoformat(), day=f"{day.year}年{day.month}月{day.day}日",
                price=f"¥{row[3] / 100:.2f}", license=row[7],
            )
        )  # fmt: skip
    head = _HEAD.format(title="我的订单", token=_token(environ)) + _TABLE
    return (head + "".join(lines) + "</tbody></table></div></div>" + _FOOT).encode()


_HEAD = """\
<!doctype html>
<html lang="zh-Hans-CN">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>{title} · Learning Buddy</title>
    <link rel="icon" href="/static/favicon.svg?v=5a17fbed7bcb" type="image/svg+xml">
    <link rel="stylesheet" href="/static/css/portal.css?v=d212d3ef21ae">
    <script type="module" src="/static/js/theme.js?v=295254b3138f"></script>
  </head>
  <body>
    <a class="skip-link" href="#content">跳到正文</a>
    <aside class="test-mode" aria-label="测试模式">测试模式：不会产生真实扣款。</aside>
<header class="site-header">
  <div class="wrap">
    <a class="brand" href="/courses">
  <svg viewBox="0 0 24 32" aria-hidden="true" focusable="false"><path fill="currentColor" d="M3 0h18a3 3 0 0 1 3 3v29l-12-7-12 7V3a3 3 0 0 1 3-3z"/><path fill="none" stroke="var(--card)" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" d="m6.5 8 4.5 4.5L6.5 17M13 17.5h4.8"/></svg>
  <span lang="en">Learning Buddy</span>
</a>
    <nav class="site-nav" aria-label="主导航">
      <a href="/courses" aria-current="page">课程</a>
      <a href="/login">登录</a>
    </nav>
    <div class="site-tools">
      <form action="/language" method="post">
        <input type="hidden" name="csrf_token" value="{token}">
        <input type="hidden" name="next" value="/courses">
        <button name="locale" value="en" lang="en">English</button>
      </form>
      <button type="button" data-theme-switch hidden aria-pressed="false" title="深色模式">
        <svg viewBox="0 0 20 20" aria-hidden="true" focusable="false"><circle cx="10" cy="10" r="7.5" fill="none" stroke="currentColor" stroke-width="1.8"/><path fill="currentColor" d="M10 4.5a5.5 5.5 0 0 1 0 11z"/></svg>
        <span class="visually-hidden">深色模式</span>
      </button>
    </div>
  </div>
</header>
    <main id="content" class="wrap" tabindex="-1">
"""
_FOOT = """\
</main>
    <footer class="site-footer">
  <div class="wrap">
    <span>使用微信支付付款。许可证用于 VS Code 的 Learning Buddy 扩展。</span>
    <span>客服： <a href="mailto:support@localhost">support@localhost</a></span>
  </div>
</footer>
  </body>
</html>"""
_SEARCH = """\
<h1>课程</h1>
<form class="search" role="search" action="/courses">
  <label class="visually-hidden" for="q">搜索课程</label>
  <input type="search" id="q" name="q" value="" maxlength="100" placeholder="搜索课程">
  <button class="button">搜索</button>
</form>
<ul class="courses">
  """
_CARD = """\
<li class="course-card"><div class="cover cover-{cover}" aria-hidden="true">{letters}</div>
<div class="course-card-body">
  <h2><a href="/courses/{id}">{title}</a></h2>
  <p>{summary}</p>
  <p class="soft small">入门 · 约 {hours} 小时 · 许可证 {days} 天</p>
  <div class="course-card-end">
    <span class="price">{price}</span>
  </div>
</div></li>
"""
_TABLE = """\
<div class="account">
  <nav class="account-nav" aria-label="我的账户">
    <ul>
      <li><a href="/account">概览</a></li>
      <li><a href="/account/orders" aria-current="page">订单</a></li>
      <li><a href="/account/licenses">许可证</a></li>
      <li><a href="/account/devices">登录设备</a></li>
      <li><a href="/account/settings">设置</a></li>
    </ul>
  </nav>
  <div class="account-content">
<h1>我的订单</h1>
<table class="cards" role="table">
  <caption class="visually-hidden">我的订单</caption>
  <thead role="rowgroup">
    <tr role="row">
      <th role="columnheader" scope="col">课程</th>
      <th role="columnheader" scope="col">日期</th>
      <th role="columnheader" scope="col">金额</th>
      <th role="columnheader" scope="col">状态</th>
      <th role="columnheader" scope="col">许可证</th>
    </tr>
  </thead>
  <tbody role="rowgroup">
    """
_LINE = """\
<tr role="row">
      <td role="cell" data-label="课程"><a href="/account/orders/{id}">{title}</a></td>
      <td role="cell" data-label="日期"><time datetime="{at}">{day}</time></td>
      <td role="cell" data-label="金额" class="numbers nowrap">{price}</td>
      <td role="cell" data-label="状态"><span class="badge good"><span aria-hidden="true">✓</span>已完成</span></td>
      <td role="cell" data-label="许可证"><a href="/account/licenses/{license}">查看许可证<span class="visually-hidden"> {title}</span></a></td>
    </tr>
"""
_STATUS = """\

<section data-state="awaiting_payment" data-version="{version}"
  data-title="请用微信扫码支付 {price} · Learning Buddy"
  data-announce="请用微信扫码支付 {price}">
<ol class="way" aria-label="步骤">
  <li class="is-done">选择课程</li>
  <li aria-current="step">付款</li>
  <li>获得许可证</li>
</ol>
<p class="wechat-pay">微信支付 WeChat Pay</p>
<h1 id="result" tabindex="-1">请用微信扫码支付 {price}</h1>
<div class="pay-area">
  <figure class="qr" data-until-over>
  <img src="/checkout/{id}/qr.svg?v={version}" width="264" height="264" alt="微信支付二维码，金额 {price}">
  <figcaption>微信扫一扫 · {price}</figcaption>
</figure>
  <div>
    <ol class="steps">
      <li>在手机上打开微信。</li>
      <li>点右上角“+”，选择“扫一扫”。</li>
      <li>核对微信中显示的金额 <strong>{price}</strong> 和标记 <strong>{mark}</strong>，确认无误后付款。</li>
    </ol>
    <p class="soft small">请用摄像头扫码。请勿截图后从相册识别，微信不支持。</p>
    <p class="countdown" data-seconds-left="7199">
      <span>请在<time datetime="{until}">北京时间 2026年11月26日 21:07</time> 前付款</span>
      <span class="digits" data-digits aria-hidden="true" hidden></span>
      <span class="visually-hidden" role="status" data-spoken data-at300="付款时间还剩 5 分钟。" data-at60="付款时间还剩 1 分钟。"></span>
    </p>
    <p data-when-over hidden>付款时间已到，二维码已失效。正在向微信确认结果。</p>
    <div class="actions">
      <form action="/checkout/{id}/check" method="post">
  <input type="hidden" name="csrf_token" value="{token}">
  <button class="button pay" id="check">我已完成支付</button>
</form>
      <a class="button" href="/phone/scan?code_url={code}" target="_blank" rel="noopener">打开测试手机</a>
    </div>
    <details>
  <summary id="cancel">取消订单</summary>
  <p>仅在您尚未付款时取消。之后随时可以重新购买。</p>
  <form action="/checkout/{id}/cancel" method="post">
    <input type="hidden" name="csrf_token" value="{token}">
    <button class="button danger">确定取消</button>
  </form>
</details>
  </div>
</div>
</section>"""
