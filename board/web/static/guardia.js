// Live pages without losing what a person is doing. htmx does the fetching and swapping.
"use strict";

// A stream that rests while the page is hidden: browsers allow few connections to one host, so
// many open tabs would otherwise block each other.
class LiveSource extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.source = null;
    this.closed = false;
    this.onopen = this.onerror = null;
    this.turn = () => (document.hidden ? this.rest() : this.open(true));
    document.addEventListener("visibilitychange", this.turn);
    if (!document.hidden) this.open(false);
  }

  get readyState() {
    if (this.closed) return EventSource.CLOSED;
    return this.source ? this.source.readyState : EventSource.CONNECTING;
  }

  open(again) {
    if (this.closed || this.source) return;
    this.source = new EventSource(this.url);
    this.source.onopen = (event) => this.onopen && this.onopen(event);
    this.source.onerror = (event) => this.onerror && this.onerror(event);
    this.source.addEventListener("issue", () => this.dispatchEvent(new Event("issue")));
    this.source.addEventListener("issue", recount);
    // Another page of the same person has taken the place; a look at this one takes it back.
    this.source.addEventListener("displaced", () => {
      this.rest();
      live(false);
    });
    // Something may have happened while nobody looked.
    if (again) this.dispatchEvent(new Event("issue"));
  }

  rest() {
    if (this.source) this.source.close();
    this.source = null;
  }

  close() {
    this.closed = true;
    this.rest();
    document.removeEventListener("visibilitychange", this.turn);
  }
}

htmx.createEventSource = (url) => new LiveSource(url);

// A part that has not changed is left alone; one that has keeps opened details, what a person has
// typed, chosen or ticked, and the place at which they read.
const kept = new Map();
const CONTROLS = "textarea[id], select[id], input[id]:not([type=hidden])";

function isTouched(control) {
  if ("entered" in control.dataset) return true; // of a form that was refused
  if (control.type === "checkbox" || control.type === "radio") {
    return control.checked !== control.defaultChecked;
  }
  if (control.tagName === "SELECT") {
    return [...control.options].some((o) => o.selected !== o.defaultSelected && o.value);
  }
  return control.value !== control.defaultValue;
}

// What stays where it is on the screen: the focused element, or else the first one in view.
function anchorOf(active) {
  const seen = (e) => e && e.getBoundingClientRect().bottom > 0;
  const inView = (e) => seen(e) && e.getBoundingClientRect().top < innerHeight;
  const focused = active && active !== document.body && active.id && inView(active) ? active : null;
  const found = focused || [...document.querySelectorAll("main [id]")].find(inView);
  return found ? { id: found.id, top: found.getBoundingClientRect().top } : null;
}

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const fresh = fragment.querySelector("[data-version]");
  if (fresh && fresh.dataset.version === target.dataset.version) {
    event.detail.shouldSwap = false;
    return;
  }
  const details = [...target.querySelectorAll("details[id]")].map((d) => [d.id, d.open]);
  const typed = [...target.querySelectorAll(CONTROLS)]
    .filter(isTouched)
    .map((c) => [c.id, c.value, c.checked]);
  const active = document.activeElement;
  const focus = active && target.contains(active) ? active.id : "";
  const anchor = scrollY > 0 ? anchorOf(active) : null;
  kept.set(target.id, { details, typed, focus, start: active && active.selectionStart, anchor });
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  const state = kept.get(event.detail.target.id);
  if (!state) return;
  kept.delete(event.detail.target.id);
  for (const [id, open] of state.details) {
    const found = document.getElementById(id);
    if (found) found.open = open;
  }
  for (const [id, text, checked] of state.typed) {
    const found = document.getElementById(id);
    if (!found) continue;
    found.value = text;
    if (found.type === "checkbox" || found.type === "radio") found.checked = checked;
  }
  const focused = state.focus && document.getElementById(state.focus);
  if (focused) {
    focused.focus({ preventScroll: true });
    if (focused.tagName === "TEXTAREA") focused.setSelectionRange(state.start, state.start);
  }
  showTimes();
  const anchor = state.anchor && document.getElementById(state.anchor.id);
  if (anchor) scrollBy(0, anchor.getBoundingClientRect().top - state.anchor.top);
});

// A refresh that was sent before a person's acceptance has arrived would lock the form again: it is
// dropped, and the page refreshed once more.
let accepted = 0;
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const { xhr, requestConfig } = detail;
  if (requestConfig.path.includes("accept=")) {
    accepted += 1;
    xhr.addEventListener("loadend", () => (accepted += 1));
  }
  xhr.accepted = accepted;
});
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.accepted >= accepted) return;
  detail.shouldSwap = false;
  setTimeout(() => htmx.trigger("#refresh", "sse:issue"));
});

// Distances from now, which the browser keeps current; without it the times themselves are shown.
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

function relative() {
  return new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
}

function distance(moment) {
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  if (Math.abs(seconds) < 60) return relative().format(0, "second");
  const [unit, size] = UNITS.find(([, s]) => Math.abs(seconds) >= s);
  return relative().format(Math.trunc(seconds / size), unit);
}

function showTimes() {
  for (const mark of document.querySelectorAll("time[data-relative]")) {
    mark.textContent = distance(mark.dateTime);
  }
  for (const mark of document.querySelectorAll("[data-remaining]")) {
    mark.textContent = `(${distance(mark.dataset.remaining)})`;
    mark.classList.toggle("over", Date.parse(mark.dataset.remaining) < Date.now());
  }
}
showTimes();
setInterval(showTimes, 30000);

// An address may name something inside a closed part.
function openTarget() {
  const found = location.hash && document.getElementById(location.hash.slice(1));
  for (let at = found; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (found) found.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

// Whether the page is live, said in words.
function live(on) {
  for (const mark of document.querySelectorAll(".live")) {
    mark.textContent = on ? mark.dataset.live : mark.dataset.lost;
    mark.classList.toggle("on", on);
  }
}
document.addEventListener("htmx:sseOpen", () => live(true));
document.addEventListener("htmx:sseError", () => live(false));

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// The number of things that wait is in the navigation and in the tab's title. It is read again when
// something has changed, at most every few seconds, and when people return to the page.
const title = document.title;
const RECOUNT_PAUSE = 3000;
let counting = 0;

function recount() {
  if (counting) return;
  counting = setTimeout(() => {
    counting = 0;
    htmx.trigger(document.body, "inbox");
  }, RECOUNT_PAUSE);
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "inbox-count") return;
  const badge = event.target.querySelector("[data-count]");
  document.title = badge ? `(${badge.dataset.count}) ${title}` : title;
  for (const copy of document.querySelectorAll("[data-inbox-copy]")) {
    copy.replaceChildren(...(badge ? [badge.cloneNode(true)] : []));
  }
});
document.addEventListener("visibilitychange", () => document.hidden || recount());
