// Counts [data-seconds-left] down to the moment the server named. Digits are for the eye only; the
// region [data-spoken] speaks at five minutes and at one. At the end the code disappears and
// `checkout:over` asks for the next state at once.

const deadlines = new WeakMap();
const MARKS = [300, 60];

function digits(seconds) {
  const pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = pad(Math.floor(seconds / 60) % 60);
  return `${hours ? `${hours}:` : ""}${minutes}:${pad(seconds % 60)}`;
}

function speak(region, before, seconds) {
  const mark = MARKS.find((moment) => before > moment && seconds <= moment);
  if (mark) region.textContent = region.dataset[`at${mark}`];
}

function end(clock) {
  deadlines.delete(clock);
  clock.removeAttribute("data-seconds-left");
  for (const part of document.querySelectorAll("[data-until-over]")) part.hidden = true;
  for (const part of document.querySelectorAll("[data-when-over]")) part.hidden = false;
  document.dispatchEvent(new Event("checkout:over"));
}

function tick() {
  const clock = document.querySelector("[data-seconds-left]");
  if (!clock) return;
  const start = Number(clock.dataset.secondsLeft);
  if (!deadlines.has(clock)) deadlines.set(clock, { at: Date.now() + start * 1000, last: start });
  const state = deadlines.get(clock);
  const seconds = Math.max(0, Math.round((state.at - Date.now()) / 1000));
  const face = clock.querySelector("[data-digits]");
  face.hidden = false;
  face.textContent = digits(seconds);
  speak(clock.querySelector("[data-spoken]"), state.last, seconds);
  state.last = seconds;
  if (seconds === 0) end(clock);
}

tick();
setInterval(tick, 1000);
