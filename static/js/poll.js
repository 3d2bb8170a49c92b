// Keeps a page that waits true: asks the server for the state and draws the fragment it answers with.
// One loop: each answer plans the next question. A hidden page asks nothing and asks at once when it is
// seen again. Nothing but the server's `stop` (or a lost session) ends it: a failure is said, and the
// loop goes on more slowly.

const TIMEOUT = 15_000;
const SLOWEST = 30_000;

const page = document.querySelector("[data-poll-url]");
const connection = document.querySelector("[data-connection]");
const announcer = document.querySelector("[data-announcer]");

const startedAt = Date.now();
let nextMs = Number(page?.dataset.nextMs);
// What the page was drawn with: the first poll, too, is told of changes only.
let etag = page?.dataset.tag ? `"${page.dataset.tag}"` : null;
let failures = 0;
let timer = null;
let isAsking = false;
let isOver = false;

// A 304 has no body to name the pace, so the page slows down by itself as the server would.
function pace() {
  const waited = Date.now() - startedAt;
  if (waited < 60_000) return 2_000;
  return waited < 300_000 ? 5_000 : 15_000;
}

function plan(delay) {
  clearTimeout(timer);
  if (!isOver && !document.hidden) timer = setTimeout(ask, delay);
}

function say(name) {
  const text = name ? connection.dataset[name] : "";
  if (connection.textContent !== text) connection.textContent = text;
}

function draw(answer) {
  const template = document.createElement("template");
  template.innerHTML = answer.html;
  const now = page.querySelector("[data-state]");
  const next = template.content.querySelector("[data-state]");
  const isNewState = now.dataset.state !== next.dataset.state;
  if (!isNewState && now.dataset.version === next.dataset.version) return;
  const focused = document.activeElement?.id;
  now.replaceWith(next);
  document.title = next.dataset.title;
  if (isNewState) announcer.textContent = next.dataset.announce;
  if (answer.stop) {
    next.querySelector("h1").focus();
  } else if (focused) {
    document.getElementById(focused)?.focus();
  }
}

function take(answer, tag) {
  draw(answer);
  etag = tag;
  nextMs = answer.next_ms;
  isOver = answer.stop;
}

// The body too has to come in time: a network that goes away behind the headers would keep the page waiting for ever.
async function fetchState() {
  const abort = new AbortController();
  const guard = setTimeout(() => abort.abort(), TIMEOUT);
  try {
    const response = await fetch(page.dataset.pollUrl, {
      headers: etag ? { Accept: "application/json", "If-None-Match": etag } : { Accept: "application/json" },
      cache: "no-store",
      signal: abort.signal,
    });
    return [response, response.ok && !response.redirected ? await response.json() : null];
  } finally {
    clearTimeout(guard);
  }
}

function retryLater(note, seconds = 0) {
  failures += 1;
  say(note);
  plan(Math.max(seconds * 1000, Math.min(2_000 * 2 ** (failures - 1), SLOWEST)));
}

async function ask() {
  if (isAsking || isOver) return;
  isAsking = true;
  const askedAt = Date.now();
  try {
    const [response, answer] = await fetchState();
    if (response.status === 401 || response.status === 404 || response.redirected) {
      // Signed out, or as somebody else: the page itself says what to do.
      isOver = true;
      location.reload();
    } else if (answer || response.status === 304) {
      if (answer) take(answer, response.headers.get("ETag"));
      failures = 0;
      say(null);
      plan(Math.max(nextMs, response.status === 304 ? pace() : 0, 2 * (Date.now() - askedAt)));
    } else {
      retryLater("trouble", Number(response.headers.get("Retry-After")) || 0);
    }
  } catch {
    retryLater(navigator.onLine ? "trouble" : "offline");
  } finally {
    isAsking = false;
  }
}

function askAtOnce() {
  if (document.hidden) return;
  clearTimeout(timer);
  ask();
}

if (page) {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : askAtOnce()));
  document.addEventListener("checkout:over", askAtOnce);
  addEventListener("online", askAtOnce);
  addEventListener("offline", () => isOver || say("offline"));
  addEventListener("pageshow", (event) => event.persisted && askAtOnce());
  plan(nextMs);
}
