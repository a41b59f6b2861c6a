// What a member does with passkeys, in a Chromium with a virtual authenticator: sign in in two steps or by autofill, add,
// rename, remove, confirm; and what happens when the prompt is closed, the device can't, or there is no JavaScript.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { atSignIn, signIn, signOut, startBrowser, startDemo, submit, visit } from "./demo.mjs";
import { ACCOUNT, ADD, LOGIN, addPasskey, armed, button, path, removeAll, row, rows, trouble } from "./member.mjs";
import { signInByPassword as asMember, visitWith as visitWithDevice } from "./member.mjs";

let demo, browser;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const member = (name) => demo.members.find((each) => each.name === name);
const whoami = async (context) => (await context.request.get("/whoami.json")).json();
const visitWith = (device, options) => visitWithDevice(browser, demo, device, options);
const signInByPassword = (page, name) => asMember(page, member(name));

test("MF-36, MF-38, MF-40: add, sign out, sign in by the button, rename, remove, and the password still works", async () => {
  const { context, page, troubles, present, credentials } = await visitWith();
  await signInByPassword(page, "alice");
  await addPasskey(page, "Alice’s laptop");
  assert.match(await row(page, "Alice’s laptop").innerText(), /Synced[^]*Not used yet/);
  assert.equal((await credentials()).length, 1);

  await present(false);
  await signOut(page);
  await page.goto("/viewtopic.php?t=1");
  await armed(page);
  await present(true);
  await button(page, "Sign in with a passkey").click();
  await page.waitForURL(/viewtopic\.php\?t=1$/);
  assert.equal((await whoami(context)).member, "alice");

  await page.goto(ACCOUNT);
  assert.match(await row(page, "Alice’s laptop").innerText(), /used for this session[^]*Last used just now/);
  await row(page, "Alice’s laptop").getByRole("link", { name: /^Rename/ }).click();
  await page.getByLabel("Name").fill('<b>"My" laptop</b>');
  await submit(page, "main form");
  assert.equal(await row(page, '<b>"My" laptop</b>').count(), 1, "escaped");

  await row(page, "laptop").getByRole("link", { name: /^Remove/ }).click();
  await button(page, "Remove passkey").click();
  assert.equal(path(page), "/.passgate/account/passkeys/remove", "a last one takes a tick more");
  await page.locator("input[name=sure]").check();
  await submit(page, "main form");
  assert.ok(atSignIn(page), "what it had opened is closed");
  assert.match(await page.getByRole("status").innerText(), /Your password still works/);
  await signInByPassword(page, "alice");
  await page.goto(ACCOUNT);
  assert.equal(await rows(page).count(), 0);
  assert.deepEqual(troubles, []);
  await context.close();
});

describe("the two steps", () => {
  test("MF-39: name, Continue, Use password; and the second step is the same for a name nobody has", async () => {
    const { context, page, troubles } = await visitWith({}, { viewport: { width: 320, height: 568 } });
    const seen = [];
    for (const name of ["nobody-of-this-name", "bob"]) {
      await page.goto("/.passgate/login?return_to=%2Findex.php");
      assert.equal(await button(page, "Use password").isVisible(), false);
      await page.getByLabel("Name").fill(name);
      await button(page, "Continue").click();
      for (const way of ["Sign in with a passkey", "Use password"]) {
        const box = await button(page, way).boundingBox();
        assert.ok(box.height >= 44 && box.y + box.height <= 568, `${way} is in sight: ${JSON.stringify(box)}`);
      }
      seen.push((await page.locator("main").innerText()).replace(name, "?"));
    }
    assert.equal(seen[0], seen[1]);
    await button(page, "Use password").click();
    assert.equal(await page.evaluate(() => document.activeElement.name), "password");
    await page.keyboard.type(member("bob").password);
    await Promise.all([page.waitForNavigation(), button(page, "Sign in").click()]);
    assert.equal((await whoami(context)).member, "bob");
    assert.deepEqual(troubles, []);
    await context.close();
  });

  test("“Not you?” and the back button lead to the first step", async () => {
    const { context, page } = await visitWith();
    await page.goto(LOGIN);
    for (const back of [() => page.getByText("Not you?").click(), () => page.goBack()]) {
      await page.getByLabel("Name").fill("bob");
      await page.keyboard.press("Enter");
      await page.getByText("Signing in as bob").waitFor();
      await back();
      await button(page, "Continue").waitFor();
      assert.ok(await page.getByLabel("Name").isVisible());
    }
    await context.close();
  });

  test("the keyboard goes straight from the name to the password, and a password manager may fill in both", async () => {
    const { context, page } = await visitWith();
    await page.goto("/.passgate/login?return_to=%2Findex.php");
    await page.getByLabel("Name").focus();
    await page.keyboard.type("bob");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.name), "password");
    await page.keyboard.type("wrong");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.equal(await page.getByLabel("Name").inputValue(), "bob");
    assert.ok(await button(page, "Sign in with a passkey").isVisible(), "both ways on after a mistake");
    await page.evaluate((password) => (document.querySelector("[name=password]").value = password), member("bob").password);
    await Promise.all([page.waitForNavigation(), button(page, "Sign in").click()]);
    assert.equal((await whoami(context)).member, "bob");
    await context.close();
  });
});

describe("autofill", () => {
  test("BP-01, BP-02: a passkey chosen among the suggestions signs in", async () => {
    const { context, page, troubles, present } = await visitWith();
    await signInByPassword(page, "alice");
    await addPasskey(page, "Autofilled");
    await present(false);
    await signOut(page);
    await page.goto("about:blank");
    await present(true);
    await page.goto("/viewtopic.php?t=1");
    await page.waitForURL(/viewtopic\.php\?t=1$/);
    assert.equal(await page.evaluate(() => sessionStorage.getItem("mediation")), "conditional");
    await removeAll(page);
    assert.deepEqual(troubles, []);
    await context.close();
  });

  test("BP-03, BP-04: it gives way to the button, and says nothing when it fails", async () => {
    const { context, page, troubles, present } = await visitWith();
    await page.goto(LOGIN);
    await armed(page);
    assert.equal(await trouble(page).isVisible(), false, "an empty device is no trouble");
    await signInByPassword(page, "alice");
    await addPasskey(page, "Waiting");
    await present(false);
    await signOut(page);
    await page.goto("/index.php");
    await armed(page);
    await present(true);
    await button(page, "Sign in with a passkey").click();
    await page.waitForURL((url) => url.pathname === "/index.php");
    await removeAll(page);
    assert.deepEqual(troubles, []);
    await context.close();
  });

  test("BP-05: it is armed again when the page is seen anew", async () => {
    const { context, page } = await visitWith();
    await page.goto(LOGIN);
    await armed(page);
    const again = page.waitForResponse(/sign-in\/begin/);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    assert.equal((await again).status(), 200);
    await context.close();
  });
});

describe("what goes wrong", () => {
  test("E-01: a prompt that is closed leaves both ways on, and details for support without a secret", async () => {
    const { context, page, verified, present } = await visitWith();
    await signInByPassword(page, "alice");
    await addPasskey(page, "Closed");
    await present(false);
    await signOut(page);
    await page.goto("/.passgate/login?passkey=true");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Sign in with a passkey", "BP-07");
    await armed(page);
    await present(true);
    await verified(false);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await Promise.all([page.waitForResponse(/passkeys\/trouble/), button(page, "Sign in with a passkey").click()]);
    await trouble(page).getByText("The passkey prompt was closed").waitFor();
    assert.equal(await trouble(page).getAttribute("role"), "alert");
    await trouble(page).getByText("Copy details for support").click();
    await trouble(page).getByText("Copied").waitFor();
    const details = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(details, /signing in[^]*NotAllowedError[^]*Reference: \w+[^]*Chrome/);
    assert.doesNotMatch(details, new RegExp(member("alice").password));

    await button(trouble(page), "Use password").click();
    await page.getByLabel("Name").fill("alice");
    await page.getByLabel("Password", { exact: true }).fill(member("alice").password);
    await Promise.all([page.waitForNavigation(), button(page, "Sign in").click()]);
    await verified(true);
    await removeAll(page);
    await context.close();
  });

  test("E-20, BP-33: a passkey that was removed is told so, and the password manager forgets it", async () => {
    const { context, page, present, credentials } = await visitWith();
    await signInByPassword(page, "alice");
    await page.addInitScript(() => delete PublicKeyCredential.signalAllAcceptedCredentials);
    await addPasskey(page, "Forgotten");
    await present(false);
    await removeAll(page);
    assert.equal((await credentials()).length, 1, "the device still has it");
    await signOut(page);
    await page.goto("about:blank");
    await present(true);
    await page.goto(LOGIN);
    await trouble(page).getByText("This passkey no longer works here").waitFor();
    assert.equal((await credentials()).length, 0);
    await context.close();
  });

  test("E-21: an answer that proves nothing is refused, once, with a reference", async () => {
    const { context, page, broken, present } = await visitWith();
    await signInByPassword(page, "alice");
    await addPasskey(page, "Broken");
    await broken({ isBogusSignature: true });
    await signOut(page);
    await page.goto("about:blank");
    const tries = [];
    page.on("request", (request) => request.url().endsWith("/finish") && tries.push(request.url()));
    await page.goto(LOGIN);
    await trouble(page).getByText("We couldn’t check this passkey.").waitFor();
    assert.match(await trouble(page).innerText(), /Reference: \w+/);
    await page.waitForLoadState("networkidle");
    assert.equal(tries.length, 1, "a device that answers by itself is not asked for ever");
    await present(false);
    await signInByPassword(page, "alice");
    await removeAll(page);
    await context.close();
  });

  test("E-04: a device that has one already says so", async () => {
    const { context, page, present } = await visitWith();
    await signInByPassword(page, "alice");
    await addPasskey(page, "First");
    await page.goto(ADD);
    await button(page, /^This device/).click();
    await trouble(page).getByText("already has a passkey for your account").waitFor();
    await present(false);
    await removeAll(page);
    await context.close();
  });

  test("E-03, E-10: without a screen lock this device is not offered, and a key that can’t keep one is told", async () => {
    const { context, page } = await visitWith({ transport: "usb", hasUserVerification: false, isUserVerified: false });
    await signInByPassword(page, "alice");
    await page.goto(ADD);
    await page.getByText("turn on its screen lock").waitFor();
    assert.equal(await button(page, /^This device/).isVisible(), false);
    await button(page, /^Security key/).click();
    await trouble(page).getByText("No passkey was added.").waitFor();
    await context.close();
  });

  test("without a connection nothing is used up", async () => {
    const { context, page } = await visitWith();
    await page.goto(LOGIN);
    await armed(page);
    await context.setOffline(true);
    await button(page, "Sign in with a passkey").click();
    await trouble(page).getByText("There is no connection.").waitFor();
    await context.close();
  });
});

test("MF-47, MF-45, BP-30: two devices, two passkeys; removing one leaves the other, and its device forgets it", async () => {
  const { context, page, troubles, present, exchange, credentials } = await visitWith();
  await signInByPassword(page, "bob");
  await addPasskey(page, "Old phone");
  await exchange({ transport: "usb", defaultBackupEligibility: false, defaultBackupState: false });
  await addPasskey(page, "Small key", "Security key");
  assert.match(await row(page, "Small key").innerText(), /Security key/);
  await row(page, "Small key").getByRole("link", { name: /^Remove/ }).click();
  await submit(page, "main form");
  assert.match(await page.getByRole("status").innerText(), /may still appear in your password manager/);
  assert.equal(await rows(page).count(), 1);
  assert.equal((await credentials()).length, 0, "signalled");
  await present(false);
  await removeAll(page);
  assert.deepEqual(troubles, []);
  await context.close();
});

describe("the offer after signing in", () => {
  const signInAgain = async (page) => {
    await page.goto("/viewtopic.php?t=1");
    await signIn(page, "bob", member("bob").password);
  };

  test("MF-29 … MF-34: made to a member without one on a device that can; the page asked for is one step away", async () => {
    const { context, page, troubles, present } = await visitWith();
    await signInAgain(page);
    assert.equal(path(page), "/.passgate/welcome");
    await page.getByRole("link", { name: "Continue to The Sample Forum" }).click();
    await page.waitForURL(/viewtopic\.php\?t=1$/);
    await signOut(page);
    await signInAgain(page);
    assert.equal(path(page), "/viewtopic.php", "shown once, then quiet, over a sign-out too");

    await context.clearCookies();
    await signInAgain(page);
    await page.getByRole("link", { name: "Set up a passkey" }).click();
    await button(page, /^This device/).click();
    await page.waitForURL(/rename/);
    await submit(page, "main form");
    assert.equal(new URL(page.url()).search, "?t=1", "and then on to the page asked for");
    await context.clearCookies();
    await present(false);
    await signInAgain(page);
    assert.equal(path(page), "/viewtopic.php", "who has one is not asked");
    await removeAll(page);
    assert.deepEqual(troubles, []);
    await context.close();
  });

  test("MF-33: “Don’t ask again” is kept, and nobody is asked where the device can’t", async () => {
    const { context, page, exchange } = await visitWith();
    await signInAgain(page);
    await button(page, "Don’t ask again").click();
    await page.waitForURL(/viewtopic\.php\?t=1$/);
    await signOut(page);
    const quiet = (await context.cookies()).find((cookie) => cookie.name === "passgate-quiet");
    assert.ok(quiet.expires * 1000 > Date.now() + 300 * 86_400_000, "for more than 300 days");
    await exchange({ transport: "usb" });
    await context.clearCookies();
    await signInAgain(page);
    assert.equal(path(page), "/viewtopic.php");
    await context.close();
  });
});

test("BP-64: a member confirms who they are with a passkey, and goes where they were going", async () => {
  const { context, page, troubles, present } = await visitWith();
  await signInByPassword(page, "alice");
  await addPasskey(page, "Confirming");
  const before = (await context.cookies()).find((cookie) => cookie.name === "passgate").value;
  await page.goto(`${LOGIN}?again=1&return_to=${encodeURIComponent(ADD)}`);
  await button(page, "Confirm with a passkey").click();
  await page.waitForURL((url) => url.pathname === ADD);
  const now = (await context.cookies()).find((cookie) => cookie.name === "passgate").value;
  assert.notEqual(before, now, "BP-49: a fresh session");
  await present(false);
  await removeAll(page);
  assert.deepEqual(troubles, []);
  await context.close();
});

test("MF-09, BP-09: without JavaScript or without WebAuthn there is the password form, and no word of trouble", async () => {
  for (const [options, script] of [[{ javaScriptEnabled: false }], [{}, () => delete window.PublicKeyCredential]]) {
    const { context, page, troubles } = await visit(browser, demo, options);
    if (script) await page.addInitScript(script);
    await page.goto("/index.php");
    assert.equal(await button(page, "Sign in with a passkey").isVisible(), false);
    assert.equal(await trouble(page).isVisible(), false);
    await signIn(page, "bob", member("bob").password);
    assert.equal(path(page), "/index.php");
    await page.goto(ADD);
    await page.getByText("This browser can’t use passkeys").waitFor();
    assert.deepEqual(troubles, []);
    await context.close();
  }
});

test("BP-75 … BP-77: password managers find their way, whatever the application would say", async () => {
  const { context } = await visit(browser, demo);
  const get = (path) => context.request.get(`/.well-known/${path}`, { maxRedirects: 0 });
  assert.equal((await get("change-password")).headers().location, "/.passgate/account");
  assert.equal((await get("resource-that-should-not-exist-whose-status-code-should-not-be-200")).status(), 404);
  const endpoints = await get("passkey-endpoints");
  assert.match(endpoints.headers()["content-type"], /^application\/json/);
  assert.deepEqual(await endpoints.json(), { enroll: new URL(ADD, demo.url).href, manage: new URL(ACCOUNT, demo.url).href });
  await context.close();
});
