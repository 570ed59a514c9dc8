// Upload a file as the body of one request: the browser reads it from the disk as it sends it.
"use strict";

for (const form of document.querySelectorAll("form[data-upload]")) {
  const fault = form.querySelector("[data-fault]");
  const progress = form.querySelector("[data-progress]");
  const button = form.querySelector("button");

  const fail = (text) => {
    fault.textContent = text || form.dataset.failed;
    fault.hidden = false;
    progress.hidden = true;
    button.disabled = false;
  };

  const base64 = async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  };

  const send = async () => {
    const file = form.elements.file.files[0];
    const signature = form.elements.signature.files[0];
    if (signature && signature.size > 6000) return fail();
    const parts = [form.elements.name.value, form.elements.version.value].map(encodeURIComponent);
    const request = new XMLHttpRequest();
    const query = `file=${encodeURIComponent(file.name)}`;
    request.open("PUT", `${form.dataset.upload}/${parts.join("/")}?${query}`);
    request.responseType = "json";
    request.setRequestHeader("x-csrf-token", form.elements.csrf.value);
    request.setRequestHeader("accept", "application/json");
    if (signature) request.setRequestHeader("x-artifact-signature", await base64(signature));
    request.upload.onprogress = (event) => {
      const percent = event.total ? Math.floor((100 * event.loaded) / event.total) : 0;
      progress.querySelector("progress").value = percent;
      progress.querySelector("[data-percent]").textContent = `${percent}%`;
    };
    request.onload = () => {
      if (request.status === 201) location.reload();
      else fail(request.response && request.response.message);
    };
    request.onerror = request.onabort = () => fail();
    fault.hidden = true;
    progress.hidden = false;
    button.disabled = true;
    request.send(file);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send().catch(() => fail());
  });
}
