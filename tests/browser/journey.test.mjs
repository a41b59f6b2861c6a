// The whole way of a member of `passgate demo`, by nothing but what the pages say.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { attachDevice, startBrowser, startDemo, visit } from "./demo.mjs";

let demo, browser;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

test("a member signs in, takes the offer, names the passkey, comes back by autofill, renames and removes it", async () => {
  const { name, password } = demo.members.find((member) => member.name === "bob");
  const { context, page, troubles } = await visit(browser, demo);
  const device = await attachDevice(context, page);
  const press = (what) => page.getByRole("button", { name: what, exact: true }).click();
  const follow = (what) => page.getByRole("link", { name: what, exact: true }).click();
  const fill = (label, text) => page.getByLabel(label, { exact: true }).fill(text);
  const reads = (what) => page.getByRole("heading", { name: what, exact: true }).waitFor();
  const isTold = (what) => page.getByRole("status").getByText(what).waitFor();
  const byPassword = async () => {
    await reads("Sign in");
    await fill("Name or e-mail", name);
    await press("Continue");
    await press("Use password");
    await fill("Password", password);
    await press("Sign in");
  };

  await device.present(false);
  await page.goto(demo.url);
  await byPassword();
  await reads("You’re signed in");
  await follow("Set up a passkey");
  await reads("Add a passkey");
  await device.present(true);
  await press("This device unlocked as you always do");
  await reads("Passkey added");
  await fill("Name", "Bob’s laptop");
  await press("Save name");
  await page.waitForURL(demo.url);

  await page.goto("/.passgate/account");
  await page.getByRole("listitem").filter({ hasText: "Bob’s laptop" }).waitFor();
  await device.present(false);
  await press("Sign out");
  await isTold("You’re signed out");
  await page.goto("about:blank");
  await device.present(true);
  await page.goto("/.passgate/login?return_to=%2F.passgate%2Faccount");
  await reads("Your account");
  await page.getByText("used for this session").waitFor();

  await follow("Rename Bob’s laptop");
  await fill("Name", "Old laptop");
  await press("Save name");
  await isTold("Renamed.");
  await device.present(false);
  await follow("Remove Old laptop");
  await reads("Remove “Old laptop”?");
  await page.getByLabel("Yes, remove my only passkey").check();
  await press("Remove passkey");
  await isTold("Your password still works");
  assert.equal((await device.credentials()).length, 1, "nobody signed in is told nothing");
  await byPassword();
  await page.goto("/.passgate/account");
  await page.getByText("You have none yet.").waitFor();
  assert.equal((await device.credentials()).length, 0, "and now the device knows");
  assert.deepEqual(troubles, []);
  await context.close();
});
