// The page of an issue: what a person writes is never lost, and news does not push away what they
// read. The forms work without this script.
"use strict";

const csrf = () => document.querySelector('input[name="csrf"]').value;

// --- forms of the side panel and of comments -------------------------------------------------

// A refused form is shown again in its place; other errors leave it as it is.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.target.matches(".editor") || detail.xhr.status < 400) return;
  detail.shouldSwap = detail.xhr.getResponseHeader("X-Refused-Form") === "true";
  if (!detail.shouldSwap) for (const form of detail.target.querySelectorAll("form")) delete form.dataset.sent;
});
document.addEventListener("click", (event) => {
  const close = event.target.closest(".editor [data-close]");
  if (!close || !document.getElementById("refresh")) return;
  event.preventDefault();
  close.closest(".editor").replaceChildren();
  htmx.trigger(document.body, "issue-changed");
});
document.addEventListener("htmx:afterSwap", ({ target }) => {
  if (!target.matches(".editor")) return;
  target.querySelectorAll("[data-writer]").forEach(equip);
  const first = target.querySelector("[autofocus], textarea, select, input:not([type=hidden])");
  if (first) first.focus();
});
document.addEventListener("input", ({ target }) => {
  const select = target.dataset.filter && document.getElementById(target.dataset.filter);
  if (!select) return;
  const wanted = target.value.trim().toLowerCase();
  for (const option of select.options) option.hidden = !option.label.toLowerCase().includes(wanted);
});

// --- news waits while a person writes or reads -----------------------------------------------

const news = document.getElementById("news");
let waiting = null;

const isWriting = () =>
  document.querySelector("#part-timeline .editor form") !== null ||
  [...document.querySelectorAll("[data-writer] textarea")].some((t) => t.value !== t.defaultValue);

function isReading() {
  const part = document.getElementById("part-timeline");
  const box = part.getBoundingClientRect();
  const atEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 40;
  return scrollY > 0 && !atEnd && box.top < innerHeight * 0.6;
}

const placesOf = (part) =>
  new Set([...part.querySelectorAll("li.line[id], li.run[id]")].map((line) => line.id));

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  if (target.id !== "part-timeline" || !event.detail.shouldSwap || !news) return;
  if (!isWriting() && !isReading()) {
    news.hidden = true;
    waiting = null;
    return;
  }
  event.detail.shouldSwap = false;
  const fresh = fragment.querySelector("[data-version]");
  const known = placesOf(target);
  const count = [...placesOf(fresh)].filter((place) => !known.has(place)).length;
  waiting = fresh.cloneNode(true);
  news.firstElementChild.textContent = news.dataset.words.replace("{count}", count || 1);
  news.hidden = false;
});

if (news) {
  news.firstElementChild.addEventListener("click", () => {
    const part = document.getElementById("part-timeline");
    if (waiting && document.querySelector("#part-timeline .editor form") === null) {
      waiting.removeAttribute("hx-swap-oob");
      part.replaceWith(waiting);
      htmx.process(waiting);
      equipQuotes();
      const last = waiting.querySelector("#timeline > li:last-child li.line:last-child");
      if (last) last.scrollIntoView({ block: "center" });
    }
    waiting = null;
    news.hidden = true;
  });
}

// --- drafts: what was typed outlives a reload and the end of the session ----------------------

const KEPT_DAYS = 7;
const commentForm = document.getElementById("comment-form");

function draftKey() {
  return `guardia:draft:${commentForm.dataset.person}:${location.pathname}`;
}

function forgetOldDrafts() {
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith("guardia:draft:")) continue;
    try {
      const { at } = JSON.parse(localStorage.getItem(key));
      if (Date.now() - at > KEPT_DAYS * 86400000) localStorage.removeItem(key);
    } catch {
      localStorage.removeItem(key);
    }
  }
}

function keepDraft(field) {
  const mark = commentForm.querySelector("[data-draft]");
  try {
    if (field.value.trim()) {
      localStorage.setItem(draftKey(), JSON.stringify({ text: field.value, at: Date.now() }));
    } else localStorage.removeItem(draftKey());
    mark.hidden = !field.value.trim();
  } catch {
    mark.hidden = true; // no room, or the browser keeps nothing
  }
}

if (commentForm) {
  const field = commentForm.elements.body;
  const address = new URL(location.href);
  try {
    forgetOldDrafts();
    if (address.searchParams.get("done") === "comment") {
      localStorage.removeItem(draftKey());
      address.searchParams.delete("done");
      history.replaceState(null, "", address);
    }
    const kept = JSON.parse(localStorage.getItem(draftKey()));
    if (kept && !field.value) {
      field.value = kept.text;
      commentForm.querySelector("[data-draft]").hidden = false;
    }
  } catch {
    // A browser that keeps nothing.
  }
  let pause = 0;
  field.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => keepDraft(field), 300);
  });
  addEventListener("pagehide", () => field.value !== field.defaultValue && keepDraft(field));
}

// --- the field for Markdown: preview, files, completion ---------------------------------------

function insert(field, text) {
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function equip(writer) {
  if (writer.dataset.equipped) return;
  writer.dataset.equipped = "yes";
  const field = writer.querySelector("textarea");
  const shown = writer.querySelector("[data-shown]");
  const said = writer.querySelector("[data-said]");
  const [write, preview] = ["[data-write]", "[data-preview]"].map((s) => writer.querySelector(s));
  writer.querySelector(".writer-bar").hidden = false;

  const show = (isPreview) => {
    field.hidden = isPreview;
    shown.hidden = !isPreview;
    write.setAttribute("aria-pressed", !isPreview);
    preview.setAttribute("aria-pressed", isPreview);
  };
  write.addEventListener("click", () => {
    show(false);
    field.focus();
  });
  preview.addEventListener("click", async () => {
    const body = new URLSearchParams({ csrf: csrf(), body: field.value });
    const answer = await fetch("/preview", { method: "POST", body, headers: { "hx-request": "true" } });
    if (!answer.ok) return;
    // The server has sanitized it, as it does with every text on the page.
    shown.innerHTML = await answer.text();
    show(true);
  });

  const send = async (file) => {
    const name = file.name || "image.png";
    said.textContent = writer.dataset.sending;
    try {
      const answer = await fetch(`/attachments/${writer.dataset.sr}?file=${encodeURIComponent(name)}`, {
        method: "PUT",
        body: file,
        headers: { "x-csrf-token": csrf(), accept: "application/json", "content-type": file.type || "application/octet-stream" },
      });
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.message);
      said.textContent = "";
      insert(field, `${found.markdown}\n`);
    } catch (error) {
      said.textContent = error.message && !(error instanceof TypeError) ? error.message : writer.dataset.failed;
    }
  };
  const sendAll = async (files) => {
    show(false);
    for (const file of files) await send(file);
  };
  const chosen = writer.querySelector("[data-files]");
  chosen.addEventListener("change", () => sendAll([...chosen.files]).then(() => (chosen.value = "")));
  field.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    sendAll(files);
  });
  field.addEventListener("dragover", (event) => {
    event.preventDefault();
    writer.classList.add("over");
  });
  field.addEventListener("dragleave", () => writer.classList.remove("over"));
  field.addEventListener("drop", (event) => {
    writer.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    sendAll([...event.dataTransfer.files]);
  });
}
document.querySelectorAll("[data-writer]").forEach(equip);

// Names after @ and issues after #: a list below the field, chosen by arrows and Enter.
const completion = document.createElement("ul");
completion.className = "completion";
completion.id = "completion";
completion.setAttribute("role", "listbox");
completion.hidden = true;
let completing = null;
let asked = 0;

function closeCompletion() {
  completion.hidden = true;
  if (completing) completing.field.removeAttribute("aria-activedescendant");
  completing = null;
}

async function complete(field) {
  const signs = field.dataset.complete;
  const before = field.value.slice(0, field.selectionStart);
  const found = before.match(/(^|[\s(])([@#])([^\s@#]{0,30})$/);
  if (!found || !signs.includes(found[2])) return closeCompletion();
  const [, , sign, words] = found;
  const mine = ++asked;
  const query = new URLSearchParams({ sign, q: words });
  const answer = await fetch(`/issues/${field.dataset.sr}/suggest?${query}`, { headers: { accept: "application/json" } });
  if (!answer.ok || mine !== asked || document.activeElement !== field) return;
  offer(field, await answer.json(), before.length - words.length - 1);
}

function offer(field, rows, start) {
  if (!rows.length) return closeCompletion();
  completing = { field, rows, start, at: 0 };
  completion.replaceChildren(
    ...rows.map((row, number) => {
      const option = document.createElement("li");
      option.id = `completion-${number}`;
      option.setAttribute("role", "option");
      for (const text of [row.label, row.detail]) {
        const part = document.createElement("span");
        part.textContent = text;
        option.append(part);
      }
      option.lastChild.className = "meta";
      option.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(number);
      });
      return option;
    }),
  );
  field.insertAdjacentElement("afterend", completion);
  completion.hidden = false;
  mark();
}

function mark() {
  [...completion.children].forEach((o, n) => o.setAttribute("aria-selected", n === completing.at));
  completing.field.setAttribute("aria-controls", "completion");
  completing.field.setAttribute("aria-activedescendant", `completion-${completing.at}`);
  completion.children[completing.at].scrollIntoView({ block: "nearest" });
}

function take(number) {
  const { field, rows, start } = completing;
  field.setRangeText(`${rows[number].text} `, start, field.selectionStart, "end");
  closeCompletion();
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

document.addEventListener("input", ({ target }) => target.dataset.complete && complete(target).catch(closeCompletion));
document.addEventListener("focusout", ({ target }) => target.dataset.complete && closeCompletion());
document.addEventListener("keydown", (event) => {
  if (!completing || event.target !== completing.field || event.isComposing) return;
  const size = completing.rows.length;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    completing.at = (completing.at + (event.key === "ArrowDown" ? 1 : size - 1)) % size;
    mark();
  } else if (event.key === "Enter" || event.key === "Tab") take(completing.at);
  else if (event.key === "Escape") closeCompletion();
  else return;
  event.preventDefault();
});

// --- quotes ------------------------------------------------------------------------------------

function equipQuotes() {
  for (const button of document.querySelectorAll("[data-quote]")) button.hidden = !commentForm;
}
equipQuotes();
document.addEventListener("htmx:oobAfterSwap", equipQuotes);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-quote]");
  if (!button) return;
  const answer = await fetch(button.dataset.quote);
  if (!answer.ok) return;
  const text = (await answer.text()).split("\n").map((line) => `> ${line}`).join("\n");
  const field = commentForm.elements.body;
  field.value = field.value ? `${field.value}\n${text}\n\n` : `${text}\n\n`;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
});

// --- the side panel is folded on telephones, where it comes last ------------------------------

const side = document.querySelector(".side-fold");
if (side) {
  const narrow = matchMedia("(max-width: 860px)");
  const fold = () => {
    side.open = !narrow.matches;
  };
  narrow.addEventListener("change", fold);
  fold();
}
