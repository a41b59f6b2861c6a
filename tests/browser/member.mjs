// The steps of a member with passkeys that more than one file of tests takes. No checks but of what a step needs.

import assert from "node:assert/strict";
import { atSignIn, attachDevice, signIn, submit, visit } from "./demo.mjs";

export const LOGIN = "/.passgate/login";
export const ACCOUNT = "/.passgate/account";
export const ADD = "/.passgate/account/passkeys/add";

export const path = (page) => new URL(page.url()).pathname;
export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const trouble = (page) => page.locator("#passkey-trouble");
export const rows = (page) => page.locator("#passkeys li");
export const row = (page, name) => rows(page).filter({ hasText: name });

/** Until autofill waits for a choice; a virtual device that is there by then would choose at once. */
export const armed = (page) => page.locator("html[data-armed]").waitFor();

/** A visit with a device; the page notes how passkeys are asked for. */
export async function visitWith(browser, demo, device = {}, options = {}) {
  const { context, page, troubles } = await visit(browser, demo, options);
  await page.addInitScript(() => {
    if (!navigator.credentials) return;
    const get = navigator.credentials.get.bind(navigator.credentials);
    navigator.credentials.get = (options) => {
      const asked = get(options);
      sessionStorage.setItem("mediation", String(options.mediation));
      if (options.mediation) document.documentElement.dataset.armed = "yes";
      return asked;
    };
  });
  return { context, page, troubles, ...(await attachDevice(context, page, device)) };
}

/** Signs in with the password and leaves the offer, if it is made. */
export async function signInByPassword(page, { name, password }) {
  await page.goto(`${LOGIN}?return_to=%2Findex.php`);
  await signIn(page, name, password);
  if (path(page) === "/.passgate/welcome") await page.goto("/index.php");
}

/** Adds a passkey from the account page and gives it a name. */
export async function addPasskey(page, name, place = "This device") {
  await page.goto(ACCOUNT);
  await page.getByRole("link", { name: "Add a passkey" }).click();
  await button(page, new RegExp(`^${place}`)).click();
  await page.waitForURL(/\/account\/passkeys\/rename/);
  assert.ok(await page.getByLabel("Name").inputValue(), "a name is suggested");
  await page.getByLabel("Name").fill(name);
  await submit(page, "main form");
}

/** Removes all passkeys of the member who is signed in, so that the next test finds the site as it was. */
export async function removeAll(page) {
  for (await page.goto(ACCOUNT); (await rows(page).count()) > 0; await page.goto(ACCOUNT)) {
    await rows(page).first().getByRole("link", { name: /^Remove/ }).click();
    const last = page.locator("input[name=sure]");
    if (await last.count()) await last.check();
    await submit(page, "main form");
    if (atSignIn(page)) return;
  }
}
