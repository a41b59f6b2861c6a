// How our pages look: they fit a small phone, follow the dark scheme, keep to the content security policy, and can be
// read. A picture of each goes to target/screenshots, to be looked at by people.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { attachDevice, signIn, startBrowser, startDemo, startSite, submit, visit } from "./demo.mjs";
import { looksWell } from "./looks.mjs";

let demo, browser, required, passkeysOnly;

before(async () => {
  demo = await startDemo();
  required = await startSite(demo, '[passkeys]\nrequired_for = ["admins"]\n', ["alice"]);
  passkeysOnly = await startSite(demo, "[password]\nenabled = false\n", ["alice"]);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  for (const site of [passkeysOnly, required, demo]) await site?.stop();
});

/** Our pages by name: where each is, and what to do there. */
const PAGES = {
  "sign-in": async (page) => page.goto("/index.php"),
  "wrong-password": async (page) => {
    await page.goto("/index.php");
    await signIn(page, demo.members[0].name, "not the password");
  },
  "second-step": async (page) => {
    await page.goto("/index.php");
    await page.locator("input[name=username]").fill(demo.members[0].name);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Use password" }).waitFor();
  },
  "passkey-trouble": async (page) => {
    await attachDevice(page.context(), page);
    await page.goto("/index.php");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.locator("#passkey-trouble").waitFor();
  },
  "passkey-help": async (page) => page.goto("/.passgate/help/passkeys"),
  "not-found": async (page) => page.goto("/.passgate/there-is-no-such-page"),
  account: async (page) => {
    await page.goto("/.passgate/account");
    await signIn(page, demo.members[0].name, demo.members[0].password);
    await page.goto("/.passgate/account");
  },
  "step-up-with-offer": async (page) => {
    await page.goto("/.passgate/account");
    await signIn(page, demo.members[1].name, demo.members[1].password);
    await page.goto("/.passgate/login?again=1");
    await page.getByText("Then set up a passkey").waitFor();
  },
};

/** On a site that requires a passkey, for a member who has none yet, one page after the other. */
const REQUIRED = {
  "passkey-add-required": async (page) => {
    await page.goto("/index.php");
    await signIn(page, "alice", required.password);
    await page.locator("[data-places]").waitFor();
  },
  "account-waiting": async (page) => page.goto("/.passgate/account"),
};

/** The same for a member with a passkey, one page after the other. */
const WITH_PASSKEY = {
  welcome: async (page) => {
    await page.goto("/index.php");
    await signIn(page, demo.members[0].name, demo.members[0].password);
  },
  "passkey-add-first": async (page) => {
    await page.goto(ADD);
    await page.locator("[data-places]").waitFor();
  },
  "passkey-added": async (page) => {
    await page.getByRole("button", { name: /^This device/ }).click();
    await page.waitForURL(/rename/);
  },
  "account-with-passkey": async (page) => page.goto("/.passgate/account"),
  "passkey-there-already": async (page) => {
    await page.goto(ADD);
    await page.getByRole("button", { name: /^This device/ }).click();
    await page.locator("#passkey-trouble").waitFor();
  },
  "step-up": async (page) => page.goto("/.passgate/login?again=1"),
  "passkey-confirm": async (page) => page.goto("/.passgate/login?again=passkey"),
  "passkey-remove": async (page) => {
    await page.goto("/.passgate/account");
    await page.locator("#passkeys li").last().getByRole("link", { name: /^Remove/ }).click();
  },
};

const ADD = "/.passgate/account/passkeys/add";

for (const colorScheme of ["light", "dark"]) {
  for (const width of [320, 1280]) {
    const options = { colorScheme, viewport: { width, height: 800 } };
    for (const [name, open] of Object.entries(PAGES)) {
      test(`${name}, ${colorScheme}, ${width} pixels wide`, async () => {
        const { context, page, troubles } = await visit(browser, demo, options);
        await open(page);
        await looksWell(page, name, colorScheme, width);
        assert.deepEqual(troubles, []);
        await context.close();
      });
    }

    test(`a passkey required, and no passwords, ${colorScheme}, ${width} pixels wide`, async () => {
      for (const [site, pages] of [
        [required, REQUIRED],
        [passkeysOnly, { "sign-in-by-passkey-alone": async (page) => page.goto("/index.php") }],
      ]) {
        const { context, page, troubles } = await visit(browser, site, options);
        await attachDevice(context, page);
        for (const [name, open] of Object.entries(pages)) {
          await open(page);
          await looksWell(page, name, colorScheme, width);
        }
        assert.deepEqual(troubles, []);
        await context.close();
      }
    });

    test(`with a passkey, ${colorScheme}, ${width} pixels wide`, async () => {
      const { context, page, troubles } = await visit(browser, demo, options);
      await attachDevice(context, page);
      for (const [name, open] of Object.entries(WITH_PASSKEY)) {
        await open(page);
        await looksWell(page, name, colorScheme, width);
      }
      const last = page.locator("input[name=sure]");
      if (await last.count()) await last.check();
      await submit(page, "main form");
      assert.deepEqual(troubles, []);
      await context.close();
    });
  }
}

test("every field has a label, and what can be pressed is large enough for a thumb", async () => {
  const { context, page } = await visit(browser, demo, { viewport: { width: 320, height: 800 } });
  await page.goto("/index.php");
  const fields = page.locator("input:not([type=hidden])");
  for (let at = 0; at < (await fields.count()); at += 1) {
    const field = fields.nth(at);
    const labels = await field.evaluate((element) => [...element.labels].map((label) => label.innerText.trim()).join(""));
    assert.ok(labels || (await field.getAttribute("aria-label")), await field.getAttribute("name"));
  }
  const button = page.locator("form:has(input[name=password]) button").first();
  const box = await button.boundingBox();
  assert.ok(box.height >= 44, `the button is ${box.height} pixels high`);
  await context.close();
});

test("the sign-in form can be used with the keyboard alone", async () => {
  const { context, page } = await visit(browser, demo);
  await page.goto("/index.php");
  await page.locator("input[name=username]").focus();
  await page.keyboard.type(demo.members[0].name);
  await page.keyboard.press("Tab");
  for (let presses = 0; presses < 4; presses += 1) {
    if (await page.evaluate(() => document.activeElement.name === "password")) break;
    await page.keyboard.press("Tab");
  }
  await page.keyboard.type(demo.members[0].password);
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  assert.equal(new URL(page.url()).pathname, "/index.php");
  await context.close();
});

test("our pages send a strict content security policy and forbid frames", async () => {
  const { context, page } = await visit(browser, demo);
  const answer = await page.goto("/.passgate/login");
  const policy = (await answer.headersArray()).find((header) => header.name.toLowerCase() === "content-security-policy").value;
  assert.match(policy, /default-src 'none'|default-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|\*/);
  await context.close();
});
