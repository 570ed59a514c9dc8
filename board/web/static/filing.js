// Files of a new request: sent after it was filed, one by one, since only an issue can keep them.
"use strict";

for (const group of document.querySelectorAll("[data-filing]")) {
  const form = group.closest("form");
  const words = group.dataset;
  const chosen = group.querySelector("input[type=file]");
  const said = group.querySelector("[data-said]");
  group.hidden = false;

  const say = (...parts) => {
    said.replaceChildren(...parts);
    said.hidden = false;
    delete form.dataset.sent;
  };

  // An answer without a redirect is the form again, with the reason above it.
  const file = async () => {
    const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string"));
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { accept: "text/html" } });
    if (answer.redirected && answer.ok) return answer.url;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    throw new Error(page.querySelector("#filing-fault, [role=alert]")?.textContent || words.failed);
  };

  const attach = async (issue, one) => {
    const number = issue.match(/\/issues\/(\d+)/)[1];
    const answer = await fetch(`/attachments/${number}?file=${encodeURIComponent(one.name)}`, {
      method: "PUT",
      body: one,
      headers: { "x-csrf-token": form.elements.csrf.value, accept: "application/json", "content-type": one.type || "application/octet-stream" },
    });
    if (!answer.ok) throw new Error((await answer.json()).message);
  };

  form.addEventListener("submit", async (event) => {
    if (event.defaultPrevented || !chosen.files.length) return;
    event.preventDefault();
    if (form.dataset.sent) return;
    form.dataset.sent = "yes";
    said.textContent = words.sending;
    said.hidden = false;
    try {
      const issue = await file();
      const faults = [];
      for (const one of chosen.files) {
        await attach(issue, one).catch((error) => {
          faults.push(`${one.name}: ${error instanceof TypeError ? words.failed : error.message}`);
        });
      }
      if (!faults.length) return location.assign(issue);
      const link = document.createElement("a");
      link.href = issue;
      link.textContent = words.open;
      chosen.value = "";
      // The request is filed: sending the form again must not be the next step.
      form.querySelector("button[type=submit], .krds-btn.primary").replaceWith(link);
      link.className = "krds-btn medium primary";
      say(`${words.partly} ${faults.join(" ")}`);
    } catch (error) {
      say(error instanceof TypeError ? words.failed : error.message);
    }
  });
}
