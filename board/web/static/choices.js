// A field above each long choice, by which its options are found while typing. Without JavaScript
// the choice is complete.
"use strict";

const LONG_CHOICE = 25;

function foldChoice(text) {
  return text.normalize("NFC").toLowerCase().replace(/\s+/g, "");
}

function choose(select, option) {
  if (!option || option.selected) return;
  option.selected = true;
  select.dispatchEvent(new Event("change", { bubbles: true }));
}

function narrow(select, text) {
  const wanted = foldChoice(text);
  const fits = [];
  for (const option of select.options) {
    const isFit = foldChoice(option.text).includes(wanted);
    option.hidden = !isFit && !option.selected;
    if (wanted && isFit) fits.push(option);
  }
  for (const group of select.querySelectorAll("optgroup")) {
    group.hidden = [...group.children].every((option) => option.hidden);
  }
  return fits;
}

function nameOf(select) {
  const label = select.labels[0]?.cloneNode(true);
  label?.querySelector("select")?.remove(); // a label around its choice has the options' texts, too
  return label?.textContent.trim() || select.getAttribute("aria-label") || "";
}

function addFinder(select) {
  const name = nameOf(select);
  const finder = document.createElement("input");
  finder.type = "search";
  finder.className = "krds-input small finder";
  finder.autocomplete = "off";
  finder.placeholder = document.body.dataset.find.replace("%s", name).trim();
  finder.setAttribute("aria-label", finder.placeholder);
  finder.addEventListener("input", (event) => {
    event.stopPropagation(); // it is no part of the form
    const fits = narrow(select, finder.value);
    if (fits.length === 1) choose(select, fits[0]);
  });
  finder.addEventListener("change", (event) => event.stopPropagation());
  finder.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    choose(select, narrow(select, finder.value)[0]);
    select.focus();
  });
  select.before(finder);
  select.dataset.found = "true";
}

function addFinders() {
  for (const select of document.querySelectorAll("select:not([multiple], [data-found])")) {
    if (select.options.length >= LONG_CHOICE) addFinder(select);
  }
}

document.addEventListener("htmx:afterSettle", addFinders);
addFinders();
