// Keyboard: shortcuts of one key outside of fields, the dialog that explains them, and the palette.
"use strict";

const PLAIN_KEYS = "plain-keys";
const help = document.getElementById("keys");
const palette = document.getElementById("palette");

function plainKeysOn() {
  return localStorage.getItem(PLAIN_KEYS) !== "off";
}

// Rows of a list: the current one is marked and keeps the focus.
let current = -1;

function rows() {
  return [...document.querySelectorAll("[data-row]")];
}

function go(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  current = Math.min(Math.max((at < 0 ? (step > 0 ? -1 : 1) : at) + step, 0), all.length - 1);
  const row = all[at < 0 && step < 0 ? 0 : current];
  all.forEach((one) => one.classList.toggle("current", one === row));
  const link = row.querySelector("a[href]");
  if (link) link.focus();
}

function currentRow() {
  return rows().find((row) => row.contains(document.activeElement)) || document.querySelector("[data-row].current");
}

function focusFilter() {
  const field = document.querySelector("form[role=search] input[type=search]");
  if (!field) return openPalette();
  field.focus();
  field.select();
}

const ACTS = {
  "/": focusFilter,
  c: () => (location.href = "/issues/new"),
  j: () => go(1),
  k: () => go(-1),
  o: () => currentRow() && currentRow().querySelector("a[href]").click(),
  x: () => {
    const pick = currentRow() && currentRow().querySelector("[data-pick]");
    if (pick) pick.click();
  },
  "?": () => help.showModal(),
};

function isTyping(target) {
  return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], dialog");
}

document.addEventListener("keydown", (event) => {
  if (!palette) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.code === "KeyK") {
    event.preventDefault();
    return openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
  // With the Korean keyboard on, the key is named by its place.
  const place = /^Key([A-Z])$/.exec(event.code || "");
  const key = place && !event.shiftKey ? place[1].toLowerCase() : event.key;
  const act = plainKeysOn() && ACTS[key];
  if (!act) return;
  event.preventDefault();
  act();
});

function openPalette() {
  if (palette.open) return;
  palette.showModal();
  const field = palette.querySelector("input");
  field.value = "";
  field.focus();
  htmx.trigger(field, "find");
}

function found() {
  return [...palette.querySelectorAll(".palette-entries a")];
}

if (palette) {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette]")) {
      event.preventDefault();
      openPalette();
    } else if (event.target.closest("[data-keys]")) {
      event.preventDefault();
      palette.close();
      help.showModal();
    } else if (event.target === palette || event.target === help) {
      event.target.close();
    }
  });
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.isComposing) return;
    event.preventDefault();
    const all = found();
    const at = all.indexOf(document.activeElement) + step;
    (at < 0 ? palette.querySelector("input") : all[Math.min(at, all.length - 1)] || all[0])?.focus();
  });
  palette.querySelector("form").addEventListener("submit", (event) => {
    const [first] = found();
    if (!first) return;
    event.preventDefault();
    location.href = first.href;
  });
  const toggle = document.getElementById("plain-keys");
  toggle.checked = plainKeysOn();
  toggle.addEventListener("change", () => localStorage.setItem(PLAIN_KEYS, toggle.checked ? "on" : "off"));
}
