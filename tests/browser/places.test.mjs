// Where passkeys are spoken of and where not: by address, by the stage of the roll-out, by what the site suggests.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { signIn, startBrowser } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";
import { ACCOUNT, ADD, LOGIN, button, path, trouble, visitWith as visitWithDevice } from "./member.mjs";

let gateway, browser;

before(async () => {
  gateway = await startGateway({ server: 'hosts = ["127.0.0.1"]', more: '[access]\ndefault = "guest"' });
  browser = await startBrowser({ flags: ["--host-resolver-rules=MAP forum.test 127.0.0.1"] });
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

const visitWith = (at = gateway) => visitWithDevice(browser, at);

describe("another address", () => {
  const hasNoWordOfPasskeys = async (site, address) => {
    const { context, page, troubles } = await visitWith(site);
    await page.goto(address);
    assert.ok(await button(page, "Sign in").isVisible());
    assert.equal(await page.locator(".ways").isVisible(), false);
    assert.equal(await trouble(page).isVisible(), false);
    // Chromium's own remark at such an address.
    assert.deepEqual(troubles.filter((text) => !text.startsWith("The Cross-Origin-Opener-Policy header")), []);
    await context.close();
  };

  test("R18, E-09: at a number there is the password form, and no word of passkeys or trouble", async () => {
    await hasNoWordOfPasskeys(gateway, `http://127.0.0.1:${gateway.port}${LOGIN}`);
  });

  test("R18, E-09: nor at a name without https, where browsers hide passkeys", async () => {
    const site = await startGateway({ publicUrl: (port) => `https://forum.test:${port}` });
    try {
      await hasNoWordOfPasskeys(site, `http://forum.test:${site.port}${LOGIN}`);
    } finally {
      await site.stop();
    }
  });

  test("R18, E-07: a relying party that is not this site's leaves the password, and the log gets to know", async () => {
    const { context, page } = await visitWith();
    await page.route("**/api/passkeys/sign-in/begin", async (route) => {
      const response = await route.fetch();
      const json = await response.json();
      json.options.rpId = "elsewhere.example";
      await route.fulfill({ response, json });
    });
    await page.goto(LOGIN);
    const [noted] = await Promise.all([page.waitForRequest(/passkeys\/trouble/), button(page, "Sign in with a passkey").click()]);
    assert.deepEqual(noted.postDataJSON(), { purpose: "sign-in", name: "SecurityError" });
    await trouble(page).getByText("aren’t set up correctly for this address").waitFor();
    assert.ok(await button(trouble(page), "Use password").isVisible());
    await context.close();
  });
});

describe("the application's pages", () => {
  const ask = () =>
    navigator.credentials.get({ publicKey: { challenge: new Uint8Array(16), timeout: 300 } }).then(String, (error) => `${error.name}: ${error.message}`);
  const make = () => {
    const user = { id: new Uint8Array(16), name: "a", displayName: "a" };
    const publicKey = { challenge: new Uint8Array(16), rp: { name: "a" }, user, timeout: 300, pubKeyCredParams: [{ type: "public-key", alg: -7 }] };
    return navigator.credentials.create({ publicKey }).then(String, (error) => `${error.name}: ${error.message}`);
  };

  test("R19, BP-86: a script of the application can neither ask for a passkey nor make one", async () => {
    const { context, page } = await visitWith();
    await page.goto("/index.php");
    for (const attempt of [ask, make]) assert.match(await page.evaluate(attempt), /^NotAllowedError: .*not enabled/);
    await page.goto(LOGIN);
    assert.doesNotMatch(await page.evaluate(ask), /not enabled/, "our own page may");
    await context.close();
  });
});

test("MF-12, MF-14, MF-17, R21: each stage of the roll-out shows them to its members and to nobody else", async () => {
  const sees = async (site, member) => {
    const { context, page, troubles } = await visitWith(site);
    await page.goto("/index.php");
    await signIn(page, member.name, member.password);
    const isOffered = path(page) === "/.passgate/welcome";
    await page.goto(ACCOUNT);
    const isListed = await page.getByRole("heading", { name: "Passkeys" }).isVisible();
    await page.goto(ADD);
    const mayAdd = (await button(page, /^This device/).count()) === 1;
    assert.deepEqual(troubles, []);
    await context.close();
    return [isOffered, isListed, mayAdd].map(Number).join("");
  };
  const [no, yes, listed] = ["000", "111", "011"];
  for (const [more, wanted] of [
    ['rollout = "off"', [no, no, no]],
    ['rollout = "admins"', [no, yes, no]],
    ['rollout = "groups"\ngroups = ["pilots"]', [no, no, yes]],
    ['rollout = "everyone"\nsuggest = "settings-only"', [listed, listed, listed]],
    ['rollout = "everyone"\nsuggest = "never"', ["001", "001", "001"]],
    ['rollout = "everyone"', [yes, yes, yes]],
  ]) {
    const site = await startGateway({ more: `[passkeys]\n${more}` });
    try {
      const members = [await site.addMember(), await site.addMember("admins"), await site.addMember("pilots")];
      const seen = [];
      for (const member of members) seen.push(await sees(site, member));
      assert.deepEqual(seen, wanted, more);
    } finally {
      await site.stop();
    }
  }
});
