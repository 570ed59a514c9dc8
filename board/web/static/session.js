// The end of a session: its remaining time, the warning, the extension, and the end itself. What a
// person has typed is kept in this tab until they have signed in again.

const KEPT = "guardia:kept";
const PLACE = "guardia:place";
const KEPT_MS = 24 * 3600 * 1000;
const KINDS = "textarea, select, input:not([type=hidden], [type=password], [type=file], [type=submit])";
const person = document.body.dataset.person || "";

// --- what was typed ----------------------------------------------------------------------------

function read() {
  try {
    const all = JSON.parse(sessionStorage.getItem(KEPT)) || [];
    return all.filter((one) => Date.now() - one.at < KEPT_MS);
  } catch {
    return [];
  }
}

function write(all) {
  try {
    if (all.length) sessionStorage.setItem(KEPT, JSON.stringify(all));
    else sessionStorage.removeItem(KEPT);
  } catch {
    // A browser that keeps nothing, or no room.
  }
}

// A page that answers a form has the address of the form's action: its place is where the form was.
function place() {
  const here = location.pathname + location.search;
  try {
    if ("answersForm" in document.body.dataset) return sessionStorage.getItem(PLACE) || here;
    if (person) sessionStorage.setItem(PLACE, here);
  } catch {
    // As above.
  }
  return here;
}

const isPost = (form) => (form.getAttribute("method") || "").toLowerCase() === "post";
const isBox = (field) => field.type === "checkbox" || field.type === "radio";

function isChanged(field) {
  if (isBox(field)) return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const options = [...field.options];
  const first = options.some((o) => o.defaultSelected) ? null : options[0];
  return options.some((o) => o.selected !== (o.defaultSelected || o === first));
}

// A field is found again by the action of its form, its name, and its number among those.
function nameOf(field) {
  const action = field.form.getAttribute("action") || "";
  const name = field.name || field.id;
  return JSON.stringify([action, name, isBox(field) ? field.value : ""]);
}

function fieldsOf(root) {
  const counts = new Map();
  return [...root.querySelectorAll(KINDS)]
    .filter((f) => f.form && isPost(f.form) && (f.name || f.id))
    .map((field) => {
      const name = nameOf(field);
      const nth = counts.get(name) || 0;
      counts.set(name, nth + 1);
      return { field, key: `${name}${nth}` };
    });
}

const valueOf = (f) => (isBox(f) ? f.checked : f.multiple ? [...f.selectedOptions].map((o) => o.value) : f.value);

function keep(ended) {
  const fields = fieldsOf(document)
    .filter(({ field }) => isChanged(field))
    .map(({ field, key }) => [key, valueOf(field)]);
  const others = read().filter((one) => one.place !== here || one.person !== person);
  if (fields.length) others.push({ person, place: here, at: Date.now(), ended, fields });
  write(others);
  return fields.length > 0;
}

function put(field, value) {
  if (isBox(field)) field.checked = value;
  else if (Array.isArray(value)) for (const option of field.options) option.selected = value.includes(option.value);
  else field.value = value;
  for (let at = field; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
}

// A person may be quicker than the script of the page for signing in, which notes the end.
function cameFromSigningIn() {
  return document.referrer !== "" && new URL(document.referrer).pathname === "/login";
}

function restore(all, waiting = []) {
  const mine = all.find((one) => one.place === here && one.person === person);
  const rest = [];
  if (mine) {
    const known = new Map(fieldsOf(document).map(({ field, key }) => [key, field]));
    for (const [key, value] of mine.fields) {
      const field = known.get(key);
      if (!field) rest.push([key, value]);
      else if (!isChanged(field)) put(field, value);
    }
    if (rest.length < mine.fields.length) document.getElementById("session-restored").hidden = false;
    mine.fields = rest;
  }
  const left = all.filter((one) => one.fields.length).map((one) => ({ ...one, ended: true }));
  write([...left, ...waiting]);
}

const here = place();
if (!person) {
  // The page for signing in: what was sent in vain waits for the person's return.
  const all = read();
  const sent = all.find((one) => !one.ended);
  const next = document.querySelector('form[action="/login"] input[name=next]');
  if (sent && next) {
    next.value = sent.place;
    const other = document.querySelector('a[href^="/login/oidc"]');
    if (other) other.href = `/login/oidc?next=${encodeURIComponent(sent.place)}`;
  }
  write(all.map((one) => ({ ...one, ended: true })));
} else {
  const signedIn = cameFromSigningIn();
  restore(read().filter((one) => one.ended || signedIn));
  // Parts of a page that are loaded later have forms, too. What was just sent waits for its answer.
  document.addEventListener("htmx:afterSwap", () => {
    const all = read();
    const kept = all.filter((one) => one.ended);
    if (kept.length) restore(kept, all.filter((one) => !one.ended));
  });
}

// --- the remaining time --------------------------------------------------------------------------

const shown = document.getElementById("time-left");
const warning = document.getElementById("session-warning");
const ended = document.getElementById("session-ended");
const said = document.getElementById("session-said");
const channel = "BroadcastChannel" in window ? new BroadcastChannel("guardia:session") : null;

if (shown) {
  const warnMs = shown.dataset.warning * 1000;
  const loaded = shown.dataset.seconds * 1000;
  let until = 0;
  let asked = false;
  let dismissed = false;
  let over = false;

  const unit = (count, name) =>
    new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: name, unitDisplay: "short" }).format(count);

  const words = (ms, exact) => {
    const seconds = Math.max(0, Math.ceil(ms / 1000));
    if (exact) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const minutes = Math.ceil(seconds / 60);
    return minutes < 120 ? unit(minutes, "minute") : unit(Math.floor(minutes / 60), "hour");
  };

  const setUntil = (ms, tell) => {
    until = Date.now() + ms;
    asked = dismissed = false;
    if (ms > warnMs && warning.open) warning.close();
    if (tell && channel) channel.postMessage({ until, person });
    tick();
  };

  const ask = async () => {
    asked = true;
    let answer;
    try {
      answer = await fetch("/session", { headers: { accept: "application/json" }, cache: "no-store" });
    } catch {
      return null; // the own clock decides
    }
    if (answer.status === 401) end();
    return answer.ok ? answer.json() : null;
  };

  const isTyping = () => {
    const at = document.activeElement;
    return at && at.matches("textarea, input:not([type=checkbox], [type=radio], [type=button], [type=submit]), select");
  };

  // A dialog that takes the focus would take the next key as well: beside a field in which a person
  // types, the warning is only shown and said.
  const warn = () => {
    if (warning.open || dismissed) return;
    warning.querySelector("[data-failed]").hidden = true;
    if (isTyping() || document.querySelector("dialog[open]")) {
      warning.classList.add("beside");
      warning.open = true;
      said.textContent = said.dataset.soon;
    } else {
      warning.classList.remove("beside");
      warning.showModal();
    }
  };

  const end = () => {
    if (over) return;
    over = true;
    const isKept = keep(true);
    if (warning.open) warning.close();
    ended.querySelector("[data-kept]").hidden = !isKept;
    ended.querySelector("a").href = `/login?${new URLSearchParams({ next: here })}`;
    shown.hidden = true;
    ended.showModal();
    ended.querySelector("a").focus();
  };

  const tick = async () => {
    if (over) return;
    const left = until - Date.now();
    const isSoon = left <= warnMs;
    const text = words(left, isSoon);
    for (const mark of document.querySelectorAll("[data-left]")) if (mark.textContent !== text) mark.textContent = text;
    shown.classList.toggle("soon", isSoon);
    if (left <= 0) {
      until = Infinity;
      const found = await ask();
      if (found && found.seconds > 0) setUntil(found.seconds * 1000);
      else end();
    } else if (isSoon && !asked) {
      const found = await ask();
      if (over) return;
      if (found && found.seconds * 1000 > warnMs) setUntil(found.seconds * 1000);
      else warn();
    }
  };

  const extend = async () => {
    const failed = warning.querySelector("[data-failed]");
    try {
      const token = document.querySelector('input[name="csrf"]').value;
      const answer = await fetch("/session/extend", { method: "POST", headers: { accept: "application/json", "x-csrf-token": token } });
      if (answer.status === 401) return end();
      if (!answer.ok) throw new Error(answer.status);
      const { seconds } = await answer.json();
      setUntil(seconds * 1000, true);
      if (warning.open) warning.close();
      said.textContent = said.dataset.extended;
    } catch {
      if (!warning.open) warn();
      failed.hidden = false;
    }
  };

  document.addEventListener("click", ({ target }) => {
    if (target.closest("[data-extend]")) extend();
    if (target.closest("[data-close-warning]")) warning.close();
  });
  warning.addEventListener("close", () => (dismissed = until - Date.now() <= warnMs));
  ended.addEventListener("cancel", (event) => event.preventDefault());

  // What is sent after the end would be lost; what is sent before is kept until the answer.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (!isPost(form)) return;
      if (form.getAttribute("action") === "/logout") {
        write([]);
        if (channel) channel.postMessage({ check: true, person });
        return;
      }
      if (!over && Date.now() < until) return void keep(false);
      event.preventDefault();
      event.stopImmediatePropagation();
      end();
    },
    true,
  );
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.successful && detail.elt.matches("form") && isPost(detail.elt)) write(read().filter((one) => one.ended));
  });
  // Parts that refresh on their own must not lead away from what was typed.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    event.preventDefault();
    end();
  });

  // All tabs of a browser have one session.
  if (channel) {
    channel.addEventListener("message", ({ data }) => {
      if (over && data.until) location.replace(here);
      else if (data.person !== person) return;
      else if (data.check) setTimeout(ask, 1000);
      else if (data.until > until) setUntil(data.until - Date.now());
    });
  }
  document.addEventListener("visibilitychange", () => document.hidden || tick());
  addEventListener("pageshow", (event) => event.persisted && ask());
  setUntil(loaded, true);
  setInterval(tick, 1000);
}
