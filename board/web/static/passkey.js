// Passkeys: register a device, and sign an approval before its form is sent. The page gives the
// addresses and the words in data attributes; see the parts passkey.html and passkeys.html.
"use strict";

const supported = () =>
  window.PublicKeyCredential !== undefined &&
  "parseRequestOptionsFromJSON" in PublicKeyCredential;

class Refused extends Error {
  constructor(message, register) {
    super(message);
    this.register = register;
  }
}

// A request that answers JSON; a refusal brings its sentence along.
async function ask(address, fields) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { accept: "application/json" },
    body: new URLSearchParams(fields),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Refused(body.message, body.documentation_url.startsWith("/account"));
  return body;
}

function explain(error, words) {
  if (error instanceof Refused) return error.message;
  if (error.name === "InvalidStateError") return words.known;
  if (error.name === "NotAllowedError" || error.name === "AbortError") return words.cancelled;
  return error.name === "NotSupportedError" ? words.unsupported : words.failed;
}

function show(place, selector, text) {
  const found = place.querySelector(selector);
  if (!found) return;
  found.hidden = !text;
  if (typeof text === "string") found.textContent = text;
}

async function register(form) {
  const fields = Object.fromEntries(new FormData(form));
  const { origin, elsewhere } = form.dataset;
  if (location.origin !== origin) throw new Refused(elsewhere.replace("{here}", location.origin));
  const options = await ask(form.dataset.options, fields);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const made = await navigator.credentials.create({ publicKey });
  const { csrf, name } = fields;
  const credential = JSON.stringify(made.toJSON());
  await ask(form.action, { csrf, name, credential });
  // The same address with a fragment would not be loaded again.
  location.reload();
}

async function sign(form, place, decision) {
  const { csrf, plan_hash } = Object.fromEntries(new FormData(form));
  const options = await ask(place.dataset.options, { csrf, plan_hash, decision });
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const answer = await navigator.credentials.get({ publicKey });
  place.querySelector("[name=passkey]").value = JSON.stringify(answer.toJSON());
}

// Runs one ceremony at a time and shows its outcome beside the button.
async function run(place, ceremony) {
  if (place.dataset.busy) return false;
  place.dataset.busy = "yes";
  show(place, "[data-passkey-fault]", "");
  show(place, "[data-passkey-register]", false);
  show(place, "[data-passkey-status]", place.dataset.waiting);
  try {
    if (!supported()) throw new Refused(place.dataset.unsupported);
    await ceremony();
    return true;
  } catch (error) {
    show(place, "[data-passkey-fault]", explain(error, place.dataset));
    show(place, "[data-passkey-register]", Boolean(error.register));
    place.scrollIntoView({ block: "nearest" });
    return false;
  } finally {
    delete place.dataset.busy;
    show(place, "[data-passkey-status]", "");
  }
}

// Running a plan later is chosen with a rejection, but is an approval with a start time.
function approves(form, button) {
  const then = new FormData(form).get("then");
  return button.value === "approve" || (button.value === "reject" && then === "later");
}

// Before any other listener: a form that waits for its signature has not been sent yet.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (form.dataset.passkey === "register") {
      event.preventDefault();
      event.stopImmediatePropagation();
      run(form, () => register(form));
      return;
    }
    const place = form.querySelector("[data-passkey=sign]");
    const button = event.submitter;
    if (!place || !button || !approves(form, button)) return;
    if (place.querySelector("[name=passkey]").value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    run(place, () => sign(form, place, "approve")).then((signed) => {
      if (signed && form.isConnected) form.requestSubmit(button);
    });
  },
  true,
);

// A page from the browser's memory must not send an answer again: it counts once.
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("[data-passkey=sign] [name=passkey]")) {
    field.value = "";
  }
});
