// Move an item of an ordered list up or down. The form sends its fields in the order of the page.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-move]");
  if (!button) return;
  const item = button.closest("li");
  const other = button.dataset.move === "-1" ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (button.dataset.move === "-1") other.before(item);
  else other.after(item);
  button.focus();
});
