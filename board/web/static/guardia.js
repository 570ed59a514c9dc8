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

// A part that has not changed is left alone; one that has keeps opened details and typed text.
const kept = new Map();

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  const fresh = fragment.querySelector("[data-version]");
  if (fresh && fresh.dataset.version === target.dataset.version) {
    event.detail.shouldSwap = false;
    return;
  }
  const details = [...target.querySelectorAll("details[id]")].map((d) => [d.id, d.open]);
  const typed = [...target.querySelectorAll("textarea[id]")].map((f) => [f.id, f.value]);
  const active = document.activeElement;
  const focus = active && target.contains(active) ? active.id : "";
  kept.set(target.id, { details, typed, focus, start: active && active.selectionStart });
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  const state = kept.get(event.detail.target.id);
  if (!state) return;
  kept.delete(event.detail.target.id);
  for (const [id, open] of state.details) {
    const found = document.getElementById(id);
    if (found) found.open = open;
  }
  for (const [id, text] of state.typed) {
    const found = document.getElementById(id);
    if (found) found.value = text;
  }
  const focused = state.focus && document.getElementById(state.focus);
  if (focused) {
    focused.focus({ preventScroll: true });
    if (focused.tagName === "TEXTAREA") focused.setSelectionRange(state.start, state.start);
  }
});

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
