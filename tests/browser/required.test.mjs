// A passkey and no less, in a Chromium with a virtual authenticator: a member whose group needs one, a member who chose it,
// and a site without passwords.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { atSignIn, attachDevice, picture, signIn, signOut, startBrowser, startDemo, submit, visit } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";

let demo, browser;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const TOPIC = "/viewtopic.php?t=1";
const path = (page) => new URL(page.url()).pathname;
const whoami = async (context) => (await context.request.get("/whoami.json")).json();
const button = (page, name) => page.getByRole("button", { name, exact: true });

/** From the page that adds the first passkey to the page behind it; takes a picture of what comes between. */
async function addAndConfirm(page, name) {
  await button(page, /^This device/).click();
  await page.getByRole("heading", { name: "Please use your passkey" }).waitFor();
  await page.screenshot({ path: picture(`${name}-confirm`), fullPage: true });
  await button(page, "Confirm with your passkey").click();
  await page.waitForURL(/\/account\/passkeys\/rename/);
  await submit(page, "main form");
}

test("MF-01, BP-49: who needs a passkey adds one, confirms and gets the page asked for; then a password leads to the passkey", async () => {
  const site = await startGateway({ upstream: demo.upstream, more: '[passkeys]\nrequired_for = ["admins"]' });
  const member = await site.addMember("admins");
  const { context, page, troubles } = await visit(browser, site);
  const { present } = await attachDevice(context, page);
  await page.goto(TOPIC);
  await signIn(page, member.name, member.password);
  assert.equal(path(page), "/.passgate/account/passkeys/add");
  assert.match(await page.locator("main").innerText(), /Your account needs a passkey\./);
  await page.screenshot({ path: picture("required-add"), fullPage: true });
  assert.equal((await whoami(context)).code, "passkey-required", "nothing of the forum before it");
  await addAndConfirm(page, "required");
  assert.ok(page.url().endsWith(TOPIC), page.url());
  assert.equal((await whoami(context)).member, member.name);

  // Autofill waits for a choice, and this device would choose at once.
  await present(false);
  await signOut(page);
  await page.goto(TOPIC);
  await signIn(page, member.name, member.password);
  assert.match(await page.locator("h1").innerText(), /Please use your passkey/);
  assert.equal((await whoami(context)).code, "passkey-required", "nor the second time");
  await page.goto("/.passgate/account");
  assert.doesNotMatch(await page.locator("main").innerText(), /signed in here only|where you’re signed in/);
  await page.screenshot({ path: picture("account-waits"), fullPage: true });
  await page.goto(TOPIC);
  await present(true);
  await button(page, "Confirm with your passkey").click();
  await page.waitForURL((url) => url.href.endsWith(TOPIC));
  assert.equal((await whoami(context)).member, member.name);
  assert.deepEqual(troubles, []);
  await context.close();
  await site.stop();
});

test("MX-11, MX-12: “Signing in” is ticked: the password alone leads to the passkey; unticked it is enough again", async () => {
  const { context, page, troubles } = await visit(browser, demo);
  const { present } = await attachDevice(context, page);
  const bob = demo.members.find(({ name }) => name === "bob");
  await present(false);
  await page.goto("/.passgate/login?return_to=%2F.passgate%2Faccount%2Fpasskeys%2Fadd");
  await signIn(page, bob.name, bob.password);
  await present(true);
  await button(page, /^This device/).click();
  await page.waitForURL(/\/account\/passkeys\/rename/);
  await submit(page, "main form");
  const box = page.getByLabel("Signing in");
  const save = () => submit(page, "#passkey-use");
  assert.equal(await box.isChecked(), false);
  assert.match(await page.locator("#passkey-use").innerText(), /If you lose a device[^]*better add a second one first/);
  await box.check();
  await save();
  // This session was opened with the password, so it waits from now on.
  assert.match(await page.locator("main").innerText(), /One more step/);
  await page.getByRole("link", { name: "Go on with a passkey" }).click();
  await button(page, "Confirm with your passkey").click();
  await page.waitForURL((url) => url.pathname === "/");
  await page.goto("/.passgate/account");
  assert.equal(await box.isChecked(), true);

  await present(false);
  await signOut(page);
  await page.goto(TOPIC);
  await signIn(page, bob.name, bob.password);
  await page.getByRole("heading", { name: "Please use your passkey" }).waitFor();
  assert.equal((await whoami(context)).member, undefined);
  await present(true);
  await button(page, "Confirm with your passkey").click();
  await page.waitForURL((url) => url.href.endsWith(TOPIC));

  await page.goto("/.passgate/account");
  await box.uncheck();
  await save();
  assert.match(await page.getByRole("status").innerText(), /Saved\./);
  await present(false);
  await signOut(page);
  await page.goto(TOPIC);
  await signIn(page, bob.name, bob.password);
  assert.ok(page.url().endsWith(TOPIC), page.url());
  assert.deepEqual(troubles, []);
  await context.close();
});

test("MF-28: where passwords are off the sign-in page has a passkey’s button, and words where there is no script", async () => {
  const site = await startGateway({ upstream: demo.upstream, more: "[password]\nenabled = false" });
  for (const javaScriptEnabled of [true, false]) {
    const { context, page, troubles } = await visit(browser, site, { javaScriptEnabled });
    await page.goto(TOPIC);
    assert.ok(atSignIn(page));
    assert.equal(await page.locator("input[type=password]").count(), 0);
    assert.equal(await button(page, "Sign in with a passkey").isVisible(), javaScriptEnabled);
    assert.equal(await page.getByText("This browser can’t use passkeys").isVisible(), !javaScriptEnabled);
    await page.screenshot({ path: picture(`passkeys-only-${javaScriptEnabled ? "script" : "plain"}`), fullPage: true });
    if (javaScriptEnabled) {
      await attachDevice(context, page);
      await button(page, "Sign in with a passkey").click();
      await page.locator("#passkey-trouble").waitFor();
      assert.doesNotMatch(await page.locator("#passkey-trouble").innerText(), /password/);
    }
    assert.deepEqual(troubles, []);
    await context.close();
  }
  await site.stop();
});
