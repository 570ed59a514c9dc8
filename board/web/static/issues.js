// The issue list: completion in the filter, and choosing several rows.
"use strict";

const field = document.querySelector("[data-complete]");
const list = document.getElementById("completions");
let chosen = -1;
let asked = 0;

function hide() {
  list.hidden = true;
  chosen = -1;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function show(choices) {
  list.replaceChildren(
    ...choices.map((choice, n) => {
      const item = document.createElement("li");
      item.id = `completion-${n}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      const label = document.createElement("code");
      label.textContent = choice.label;
      const detail = document.createElement("span");
      detail.className = "meta";
      detail.textContent = choice.detail;
      item.append(label, " ", detail);
      item.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(choice);
      });
      item.choice = choice;
      return item;
    }),
  );
  list.hidden = !choices.length;
  chosen = -1;
  field.setAttribute("aria-expanded", String(!list.hidden));
  field.removeAttribute("aria-activedescendant");
}

async function ask() {
  const number = (asked += 1);
  const words = new URLSearchParams({ q: field.value, at: field.selectionStart });
  const answer = await fetch(`${field.dataset.complete}?${words}`, { headers: { accept: "application/json" } });
  if (!answer.ok || number !== asked || document.activeElement !== field) return;
  show(await answer.json());
}

function take(choice) {
  field.value = choice.words;
  field.setSelectionRange(choice.at, choice.at);
  hide();
  ask();
}

function move(step) {
  const items = [...list.children];
  if (!items.length) return;
  chosen = (chosen + step + items.length) % items.length;
  items.forEach((item, n) => item.setAttribute("aria-selected", String(n === chosen)));
  items[chosen].scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", items[chosen].id);
}

if (field) {
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", "completions");
  hide();
  let pause = 0;
  field.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(ask, 120);
  });
  field.addEventListener("blur", hide);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" && list.hidden) return ask();
    if (event.key === "Escape" && list.hidden) {
      event.preventDefault(); // a browser would clear the filter
      return field.blur();
    }
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) move(step);
    else if (event.key === "Escape") hide();
    else if (["Enter", "Tab"].includes(event.key) && chosen >= 0) take(list.children[chosen].choice);
    else return;
    event.preventDefault();
  });
}

function count() {
  const picks = [...document.querySelectorAll("[data-pick]")];
  const number = picks.filter((pick) => pick.checked).length;
  for (const mark of document.querySelectorAll("[data-chosen]")) mark.textContent = number ? `(${number})` : "";
  const all = document.querySelector("[data-pick-all]");
  if (!all) return;
  all.hidden = false;
  all.checked = number > 0 && number === picks.length;
  all.indeterminate = number > 0 && number < picks.length;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-pick-all]")) {
    for (const pick of document.querySelectorAll("[data-pick]")) pick.checked = event.target.checked;
  }
  if (event.target.matches("[data-pick], [data-pick-all]")) count();
});
document.addEventListener("htmx:oobAfterSwap", count);
addEventListener("pageshow", count);
count();
