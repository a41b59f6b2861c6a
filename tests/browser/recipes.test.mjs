// What can go differently with an authenticator, one thing a test: other devices, wrong answers, time, wrong places. The
// ids R1 … R26 are those of the table in docs/passkeys.md.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { atSignIn, signOut, startBrowser, submit } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";
import { ACCOUNT, ADD, LOGIN, addPasskey, armed, button, path, row, rows, signInByPassword, trouble } from "./member.mjs";
import { visitWith as visitWithDevice } from "./member.mjs";

let gateway, browser;

before(async () => {
  gateway = await startGateway();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

const SIGN_IN = "Sign in with a passkey";
const visitWith = (device, options) => visitWithDevice(browser, gateway, device, options);

/** A new member with a passkey on this visit's device, who has signed out. The device is there, but nobody touches it. */
async function enrolled(visit, place) {
  const member = await gateway.addMember();
  await signInByPassword(visit.page, member);
  await addPasskey(visit.page, "The passkey", place);
  await visit.present(false);
  await signOut(visit.page);
  return member;
}

/** Presses the button on a fresh sign-in page, with autofill waiting and the device ready for the press. */
async function pressSignIn({ page, present }) {
  await present(false);
  await page.goto(`${LOGIN}?return_to=%2Findex.php`);
  await armed(page);
  await present(true);
  await button(page, SIGN_IN).click();
}

const arrive = (page) => page.waitForURL((url) => url.pathname === "/index.php");

/** Changes the options of every ceremony of a purpose on their way to the page. */
const withOptions = (page, purpose, change) =>
  page.route(`**/api/passkeys/${purpose}/begin`, async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    change(json.options);
    await route.fulfill({ response, json });
  });

describe("autofill", () => {
  test("R26, BP-05: it is armed again by the clock, before its challenge ends, and one ceremony waits at a time", async () => {
    const { context, page, present } = await visitWith();
    await present(false);
    await page.addInitScript(() => {
      Object.assign(window, { waiting: 0, most: 0 });
      const get = navigator.credentials.get.bind(navigator.credentials);
      navigator.credentials.get = (options) => {
        window.waiting += 1;
        window.most = Math.max(window.most, window.waiting);
        return get(options).finally(() => (window.waiting -= 1));
      };
    });
    const begun = [];
    page.on("response", async (response) => {
      if (response.url().endsWith("/sign-in/begin")) begun.push(await response.json());
    });
    await page.clock.install();
    await page.goto(LOGIN);
    await armed(page);
    const half = begun[0].lifetime_seconds * 500;
    await page.clock.fastForward(half);
    assert.equal(begun.length, 1, "not before it has to");
    const again = page.waitForResponse(/sign-in\/begin/);
    await page.clock.fastForward(half - 1);
    const second = await (await again).json();
    assert.notEqual(second.options.challenge, begun[0].options.challenge);
    await page.waitForFunction(() => window.waiting === 1);
    assert.equal(await page.evaluate(() => window.most), 1);
    assert.equal(begun.length, 2);
    assert.equal(await trouble(page).isVisible(), false, "E-02, E-08: nobody is told");
    await context.close();
  });

  test("R4: what waits is told apart from the button by what the page asked for", async () => {
    const visit = await visitWith();
    await enrolled(visit);
    await visit.page.goto("about:blank");
    await visit.present(true);
    await visit.page.goto("/index.php");
    await arrive(visit.page);
    assert.equal(await visit.page.evaluate(() => sessionStorage.getItem("mediation")), "conditional");
    await visit.present(false);
    await signOut(visit.page);
    await pressSignIn(visit);
    await arrive(visit.page);
    assert.equal(await visit.page.evaluate(() => sessionStorage.getItem("mediation")), "undefined");
    await visit.context.close();
  });
});

describe("the prompt", () => {
  test("BP-06: it comes by a press alone: no page asks for one while it opens", async () => {
    const { context, page, present } = await visitWith();
    await context.addInitScript(() => {
      if (!navigator.credentials) return;
      for (const name of ["get", "create"]) {
        const ask = navigator.credentials[name].bind(navigator.credentials);
        navigator.credentials[name] = (options) => {
          const asked = JSON.parse(sessionStorage.getItem("asked") ?? "[]");
          asked.push({ name, mediation: options.mediation ?? "modal", pressed: navigator.userActivation.isActive });
          sessionStorage.setItem("asked", JSON.stringify(asked));
          return ask(options);
        };
      }
    });
    const asked = () => page.evaluate(() => JSON.parse(sessionStorage.getItem("asked") ?? "[]"));
    const modal = async () => (await asked()).filter((each) => each.mediation === "modal");
    const member = await gateway.addMember();
    await page.goto(`${LOGIN}?passkey=true`);
    await armed(page);
    await page.reload();
    await armed(page);
    assert.deepEqual(await modal(), []);
    await signInByPassword(page, member);
    for (const address of [ACCOUNT, `${LOGIN}?again=1&return_to=%2F`, "/.passgate/welcome?return_to=%2F", ADD]) {
      await page.goto(address);
      await page.waitForLoadState("networkidle");
    }
    assert.deepEqual(await modal(), []);
    await button(page, /^This device/).click();
    await page.waitForURL(/rename/);
    assert.deepEqual(await modal(), [{ name: "create", mediation: "modal", pressed: true }]);
    await present(false);
    await signOut(page);
    await pressSignIn({ page, present });
    await arrive(page);
    assert.deepEqual((await modal()).at(-1), { name: "get", mediation: "modal", pressed: true });
    await context.close();
  });

  test("R7: a device without a passkey for this site leaves both ways on", async () => {
    const visit = await visitWith();
    await visit.page.goto(LOGIN);
    await button(visit.page, SIGN_IN).click();
    await trouble(visit.page).getByText("The passkey prompt was closed").waitFor();
    assert.ok(await button(trouble(visit.page), "Try again").isVisible());
    assert.ok(await button(trouble(visit.page), "Use password").isVisible());
    await visit.context.close();
  });

  test("R9: one that nobody answers runs out, and trying again works", async () => {
    const visit = await visitWith();
    await enrolled(visit);
    await withOptions(visit.page, "sign-in", (options) => (options.timeout = 300));
    await visit.page.goto(`${LOGIN}?return_to=%2Findex.php`);
    await armed(visit.page);
    await button(visit.page, SIGN_IN).click();
    await trouble(visit.page).getByText("or it took too long").waitFor();
    await visit.page.unroute("**/api/passkeys/sign-in/begin");
    await visit.present(true);
    await button(trouble(visit.page), "Try again").click();
    await arrive(visit.page);
    await visit.context.close();
  });

  test("R10, E-13, E-31: confirming takes the member's own passkeys alone, and the password stays beside it", async () => {
    const visit = await visitWith();
    const { page } = visit;
    const other = await enrolled(visit);
    const [foreign] = await visit.credentials();
    await visit.exchange({});
    const member = await gateway.addMember();
    await signInByPassword(page, member);
    await addPasskey(page, "My own");
    await visit.exchange({});
    await visit.bring(foreign);
    const confirm = `${LOGIN}?again=1&return_to=%2Findex.php`;
    await page.goto(confirm);
    await button(page, "Confirm with a passkey").click();
    await trouble(page).getByText("We need to know it’s you").waitFor();

    // A browser that does not keep to the list gets no further.
    await withOptions(page, "step-up", (options) => (options.allowCredentials = []));
    await button(trouble(page), "Try again").click();
    await trouble(page).getByText(`belongs to a different account. Choose the one for ${member.name}`).waitFor();
    assert.doesNotMatch(await page.locator("body").innerText(), new RegExp(other.name), "nor whose it is");
    assert.equal((await visit.credentials()).length, 1, "it is still good where it belongs");
    await button(trouble(page), "Use password").click();
    await page.keyboard.type(member.password);
    await page.keyboard.press("Enter");
    await arrive(page);
    await visit.context.close();
  });
});

describe("what the server refuses", () => {
  test("R11, E-12, E-21: answers without verification, without presence, and with a signature that is none", async () => {
    const visit = await visitWith();
    await enrolled(visit);
    for (const [bits, words] of [
      [{ isBadUV: true }, "Your passkey didn’t confirm that it’s you"],
      [{ isBadUP: true }, "We couldn’t check this passkey"],
      [{ isBogusSignature: true }, "We couldn’t check this passkey"],
    ]) {
      await visit.broken(bits);
      await pressSignIn(visit);
      await trouble(visit.page).getByText(words).waitFor();
      assert.match(await trouble(visit.page).innerText(), /Reference: \w+/);
      assert.ok(atSignIn(visit.page));
    }
    await visit.broken({});
    await pressSignIn(visit);
    await arrive(visit.page);
    await visit.context.close();
  });

  test("R12, E-26: a counter that went back may be a copy; the password still works, and the passkey is kept", async () => {
    const visit = await visitWith({ defaultBackupEligibility: false, defaultBackupState: false });
    const member = await enrolled(visit);
    for (let time = 0; time < 2; time += 1) {
      await pressSignIn(visit);
      await arrive(visit.page);
      await visit.present(false);
      await signOut(visit.page);
    }
    const [credential] = await visit.credentials();
    assert.ok(credential.signCount >= 2, `it counts: ${credential.signCount}`);
    await visit.change(credential, { signCount: 1 });
    await pressSignIn(visit);
    await trouble(visit.page).getByText("it may have been copied").waitFor();
    await visit.present(false);
    await signInByPassword(visit.page, member);
    await visit.page.goto(ACCOUNT);
    assert.equal(await rows(visit.page).count(), 1);
    await visit.context.close();
  });

  test("R14, E-27: the list says when a passkey stops being synced, and one that became another kind is refused", async () => {
    const visit = await visitWith();
    const { page } = visit;
    const member = await enrolled(visit);
    const [credential] = await visit.credentials();
    for (const [backupState, words] of [[false, "No longer synced"], [true, "Synced"]]) {
      await visit.change(credential, { backupState });
      await pressSignIn(visit);
      await arrive(page);
      await page.goto(ACCOUNT);
      assert.match(await row(page, "The passkey").innerText(), new RegExp(words));
      await visit.present(false);
      await signOut(page);
    }
    await visit.change(credential, { backupEligibility: false, backupState: false });
    await pressSignIn(visit);
    await trouble(page).getByText("This passkey has changed since you added it").waitFor();
    await visit.present(false);
    await signInByPassword(page, member);
    await page.goto(ACCOUNT);
    assert.match(await row(page, "The passkey").innerText(), /Synced/, "as it was");
    await visit.context.close();
  });

  test("BP-17: a new passkey that is refused does not stay in the password manager", async () => {
    const visit = await visitWith();
    const { page } = visit;
    await signInByPassword(page, await gateway.addMember());
    await page.goto(ADD);
    await visit.broken({ isBadUV: true });
    await button(page, /^This device/).click();
    await trouble(page).getByText("Your passkey didn’t confirm that it’s you").waitFor();
    assert.equal((await visit.credentials()).length, 0);
    await visit.broken({});
    await button(trouble(page), "Try again").click();
    await page.waitForURL(/rename/);
    assert.equal((await visit.credentials()).length, 1);
    await visit.context.close();
  });
});

describe("other devices", () => {
  test("R16, OKX-09, OKX-10: a security key and a phone near by", async () => {
    for (const [transport, place, synced, kind] of [
      ["usb", "Security key", false, "Security key"],
      ["hybrid", "Phone or tablet", true, "Synced"],
    ]) {
      const visit = await visitWith({ transport, defaultBackupEligibility: synced, defaultBackupState: synced });
      const { page } = visit;
      await page.addInitScript(() => {
        const known = PublicKeyCredential.getClientCapabilities;
        // Without Bluetooth a headless browser says that it can reach no phone.
        PublicKeyCredential.getClientCapabilities = async () => ({ ...(await known.call(PublicKeyCredential)), hybridTransport: true });
      });
      await enrolled(visit, place);
      // A browser whose device keeps none itself has no suggestions to wait for.
      await visit.present(true);
      await page.goto(`${LOGIN}?return_to=%2Findex.php`);
      await button(page, SIGN_IN).click();
      await arrive(page);
      await page.goto(ACCOUNT);
      assert.match(await row(page, "The passkey").innerText(), new RegExp(kind));
      await visit.context.close();
    }
  });

  test("R17, E-03: keys without room or a PIN, and those of old, are told what to do", async () => {
    for (const traits of [
      { hasResidentKey: false },
      { hasUserVerification: false, isUserVerified: false },
      { protocol: "u2f", ctap2Version: undefined, hasResidentKey: false, hasUserVerification: false, isUserVerified: false },
    ]) {
      const { context, page } = await visitWith({ transport: "usb", ...traits });
      await signInByPassword(page, await gateway.addMember());
      await page.goto(ADD);
      await button(page, /^Security key/).click();
      await trouble(page).getByText("or your security key a PIN").waitFor();
      await context.close();
    }
  });

  test("R24, R25: a passkey that a password manager carried to another device signs in there", async () => {
    const visit = await visitWith();
    const member = await enrolled(visit);
    const [credential] = await visit.credentials();
    await visit.context.close();
    const other = await visitWith();
    await other.bring(credential);
    await pressSignIn(other);
    await arrive(other.page);
    assert.equal(await other.page.getByRole("heading").innerText(), member.name);
    await other.page.goto(ADD);
    await button(other.page, /^This device/).click();
    await trouble(other.page).getByText("already has a passkey for your account").waitFor();
    await other.context.close();
  });

  test("OKX-17, E-22: ten passkeys on ten devices; the eleventh is refused before any prompt", async () => {
    const visit = await visitWith();
    const { page } = visit;
    await signInByPassword(page, await gateway.addMember());
    await page.goto(ADD);
    for (let count = 1; count <= 10; count += 1) {
      await addPasskey(page, `Device ${count}`);
      await visit.exchange({});
    }
    assert.equal(await rows(page).count(), 10);
    assert.equal(await page.getByRole("link", { name: "Add a passkey" }).count(), 0);
    await page.goto(ADD);
    assert.match(await page.getByRole("alert").innerText(), /already have 10 passkeys/);
    assert.equal(await button(page, /^This device/).count(), 0);
    await page.goto(ACCOUNT);
    await row(page, "Device 10").getByRole("link", { name: /^Remove/ }).click();
    await submit(page, "main form");
    assert.equal(await rows(page).count(), 9);
    await addPasskey(page, "In its place");
    await visit.context.close();
  });

  test("BP-08: a browser of before 2025 adds and signs in by hand-written JSON", async () => {
    const visit = await visitWith();
    const { page } = visit;
    await page.addInitScript(() => {
      delete PublicKeyCredential.parseRequestOptionsFromJSON;
      delete PublicKeyCredential.parseCreationOptionsFromJSON;
      delete PublicKeyCredential.prototype.toJSON;
      delete PublicKeyCredential.getClientCapabilities;
      for (const name of ["signalAllAcceptedCredentials", "signalCurrentUserDetails", "signalUnknownCredential"]) {
        delete PublicKeyCredential[name];
      }
    });
    const member = await enrolled(visit);
    assert.deepEqual(
      await page.evaluate(() => [PublicKeyCredential.parseRequestOptionsFromJSON, PublicKeyCredential.prototype.toJSON]),
      [undefined, undefined],
    );
    await pressSignIn(visit);
    await arrive(page);
    await page.goto(`${LOGIN}?again=1&return_to=%2Findex.php`);
    await button(page, "Confirm with a passkey").click();
    await arrive(page);
    assert.equal(await page.getByRole("heading").innerText(), member.name);
    await page.goto(ADD);
    await button(page, /^This device/).click();
    await trouble(page).getByText("already has a passkey for your account").waitFor();
    assert.deepEqual(visit.troubles, []);
    await visit.context.close();
  });
});
