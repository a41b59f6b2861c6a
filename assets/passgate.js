// Small comforts. Every page works without them.
"use strict";

// A button that shows the password while it is typed.
for (const box of document.querySelectorAll(".reveal")) {
  const input = box.querySelector("input");
  const button = document.createElement("button");
  const set = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? "Hide" : "Show";
    button.setAttribute("aria-label", shown ? "Hide password" : "Show password");
  };
  button.type = "button";
  button.addEventListener("click", () => {
    set(input.type === "password");
    input.focus();
  });
  // Password managers look for a password field when the form is sent.
  input.form.addEventListener("submit", () => set(false));
  set(false);
  box.append(button);
  box.classList.add("ready");
}

// How good a new password is, while it is typed: the gateway says what it would say of the form.
for (const box of document.querySelectorAll(".strength")) {
  const { password, username, csrf, token } = box.closest("form").elements;
  const words = box.querySelector("[role=status]");
  let [timer, turn, quietUntil, shown] = [0, 0, 0, ""];

  function show(verdict = "") {
    if (verdict === shown) return;
    const template = box.querySelector(`template[data-verdict="${verdict}"]`);
    shown = verdict;
    if (template) box.dataset.level = template.dataset.level;
    else delete box.dataset.level;
    words.replaceChildren(...(template ? [template.content.cloneNode(true)] : []));
  }

  async function ask() {
    const asked = turn;
    const fields = { password: password.value, username: username?.value, [box.dataset.token]: token?.value };
    const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": csrf?.value ?? "" };
    const options = { method: "POST", headers, body: JSON.stringify(fields), redirect: "error" };
    const answer = await fetch(box.dataset.api, options).catch(() => undefined);
    const said = await answer?.json().catch(() => undefined);
    // What was typed meanwhile has a turn of its own.
    if (asked !== turn) return;
    const pause = Number(answer?.headers.get("Retry-After")) * 1_000;
    if (answer?.status === 429) quietUntil = Date.now() + pause;
    if (answer?.status === 503) timer = setTimeout(ask, pause);
    show(answer?.ok ? said?.verdict : "");
  }

  function judge() {
    const { length } = [...password.value];
    if (length > 0 && length < password.minLength) show("too-short");
    else if (length > 0 && Date.now() >= quietUntil) ask();
    else show();
  }

  for (const input of [password, username]) {
    input?.addEventListener("input", () => {
      turn += 1;
      clearTimeout(timer);
      timer = setTimeout(judge, 500);
    });
  }
  box.hidden = false;
}

// Moments in the reader's own time zone and manner.
for (const time of document.querySelectorAll("time[datetime]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    const timeStyle = time.classList.contains("day") ? undefined : "short";
    time.textContent = moment.toLocaleString(undefined, { dateStyle: "long", timeStyle });
  }
}

// Who stays signed in has a computer of their own.
const remember = document.querySelector("input[name=remember]");
document.querySelector("input[name=shared]")?.addEventListener("change", ({ target }) => {
  if (target.checked && remember) remember.checked = false;
});

// What can be printed has a button for it.
for (const button of document.querySelectorAll("[data-do=print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// One click sends a form once. Coming back to the page with the back button makes it ready again.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    // A form that brings a file leaves the page as it is.
    if (event.defaultPrevented || form.dataset.brings) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
