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
