// Completion of the command line: names, issues and acts, by keyboard or pointer.
"use strict";

for (const line of document.querySelectorAll("input[data-complete]")) {
  const list = document.getElementById("suggestions");
  let rows = [];
  let chosen = -1;
  let after = "";
  let asked = 0;
  let timer = 0;

  line.setAttribute("role", "combobox");
  line.setAttribute("aria-expanded", "false");
  line.setAttribute("aria-autocomplete", "list");
  line.setAttribute("aria-controls", list.id);

  const close = () => {
    rows = [];
    chosen = -1;
    list.hidden = true;
    line.setAttribute("aria-expanded", "false");
    line.removeAttribute("aria-activedescendant");
  };

  const mark = (number) => {
    chosen = number;
    for (const [at, item] of [...list.children].entries()) {
      item.setAttribute("aria-selected", String(at === chosen));
    }
    const item = list.children[chosen];
    if (!item) return line.removeAttribute("aria-activedescendant");
    line.setAttribute("aria-activedescendant", item.id);
    item.scrollIntoView({ block: "nearest" });
  };

  const pick = (row) => {
    line.value = row.line;
    close();
    line.focus();
    line.dispatchEvent(new Event("completed"));
  };

  const show = () => {
    list.replaceChildren(
      ...rows.map((row, at) => {
        const item = document.createElement("li");
        const kind = document.createElement("span");
        item.id = `suggestion-${at}`;
        item.setAttribute("role", "option");
        item.append(row.label);
        kind.textContent = row.kind;
        item.append(kind);
        // Before the line loses the focus.
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          pick(row);
        });
        return item;
      }),
    );
    list.hidden = !rows.length;
    line.setAttribute("aria-expanded", String(!list.hidden));
  };

  const ask = async (more) => {
    const number = ++asked;
    const query = new URLSearchParams({ q: line.value });
    if (more) query.set("after", after);
    const answer = await fetch(`${line.dataset.complete}?${query}`).catch(() => null);
    if (!answer || !answer.ok || number !== asked) return;
    const found = await answer.json();
    if (number !== asked) return;
    rows = more ? [...rows, ...found.rows] : found.rows;
    after = found.after;
    show();
    mark(more ? chosen : -1);
  };

  line.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => ask(false), 120);
  });
  line.addEventListener("blur", close);
  list.addEventListener("scroll", () => {
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    if (atEnd && after) ask(true);
  });
  line.addEventListener("keydown", (event) => {
    if (event.isComposing || list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (chosen + step >= rows.length && after) return void ask(true);
      mark((chosen + step + rows.length) % rows.length);
    } else if (event.key === "Escape") {
      close();
    } else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      event.preventDefault();
      pick(rows[chosen]);
    }
  });
}
