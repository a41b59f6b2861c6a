// The keyboard alone, from signing in to removing a passkey: everything can be reached in a sensible order, one sees where
// one is, and after trouble one is at the message.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";
import { ACCOUNT, LOGIN, armed, path, rows, trouble, visitWith } from "./member.mjs";

let gateway, browser;

before(async () => {
  gateway = await startGateway();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
});

/** What has the focus: what it is called, and whether its outline is there to be seen. */
const focused = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    const label = at.labels?.[0]?.innerText ?? at.innerText;
    const { outlineStyle, outlineWidth } = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    const isSeen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && box.width > 10 && box.height > 10;
    return { name: (at.getAttribute("aria-label") ?? label ?? "").replace(/\s+/g, " ").trim(), isSeen };
  });

/** Presses Tab until it is at `name`, and returns what lay between. */
async function tabTo(page, name) {
  const passed = [];
  for (let presses = 0; presses < 30; presses += 1) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    assert.ok(at.isSeen, `one sees that “${at.name}” has the focus`);
    if (at.name === name) return passed;
    passed.push(at.name);
  }
  return assert.fail(`${name} can't be reached; there are ${passed.join(", ")}`);
}

const isAt = async (page, name) => assert.equal((await focused(page)).name, name);
// Not the event "load": that of the page before may still come.
const loads = (page, key) => Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);

test("the keyboard is enough: sign in both ways, take the offer, add, rename, remove", async () => {
  const { context, page, present } = await visitWith(browser, gateway);
  const member = await gateway.addMember();
  await present(false);
  await page.goto("/index.php");
  await isAt(page, "Name or e-mail");
  await page.keyboard.type(member.name);
  await page.keyboard.press("Enter");
  await isAt(page, "Sign in with a passkey");
  assert.match(await page.locator("[aria-describedby=whom]").evaluate((button) => document.getElementById("whom").innerText), new RegExp(member.name));
  assert.deepEqual(await tabTo(page, "Use password"), []);
  await page.keyboard.press("Space");
  await isAt(page, "Password");
  assert.deepEqual(await tabTo(page, "Show password"), []);
  await page.keyboard.press("Space");
  await isAt(page, "Password");
  await page.keyboard.type(member.password);
  await loads(page, "Enter");

  await isAt(page, "Continue to The Sample Forum");
  assert.deepEqual(await tabTo(page, "Set up a passkey"), []);
  await loads(page, "Enter");
  await present(true);
  await tabTo(page, "This device unlocked as you always do");
  await page.keyboard.press("Enter");
  await page.waitForURL(/rename/);
  await isAt(page, "Name");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("First");
  await loads(page, "Enter");

  await present(false);
  await page.goto(ACCOUNT);
  await tabTo(page, "Rename First");
  await loads(page, "Enter");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Second");
  assert.deepEqual(await tabTo(page, "Save name"), []);
  await loads(page, "Enter");
  assert.deepEqual(await tabTo(page, "The Sample Forum"), []);
  assert.deepEqual(await tabTo(page, "Sign out"), [member.name]);
  await loads(page, "Enter");

  await armed(page);
  await present(true);
  await tabTo(page, "Sign in with a passkey");
  await loads(page, "Space");
  await page.goto(ACCOUNT);
  await tabTo(page, "Remove Second");
  await loads(page, "Enter");
  await tabTo(page, "Yes, remove my only passkey");
  await page.keyboard.press("Space");
  assert.deepEqual(await tabTo(page, "Remove passkey"), []);
  await present(false);
  await loads(page, "Enter");
  assert.equal(path(page), LOGIN);
  await context.close();
});

test("after trouble the focus is at the message, and both ways on are next", async () => {
  const { context, page } = await visitWith(browser, gateway);
  await page.goto(LOGIN);
  await tabTo(page, "Sign in with a passkey");
  await page.keyboard.press("Enter");
  await trouble(page).getByText("The passkey prompt was closed").waitFor();
  await page.waitForFunction(() => document.activeElement.id === "passkey-trouble");
  assert.deepEqual(await tabTo(page, "Try again"), []);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.id === "passkey-trouble");
  assert.deepEqual(await tabTo(page, "Use password"), ["Try again"]);
  await page.keyboard.press("Enter");
  await isAt(page, "Name or e-mail");

  await page.keyboard.type("nobody");
  await page.keyboard.press("Tab");
  await page.keyboard.type("wrong");
  await loads(page, "Enter");
  await isAt(page, "Password");
  const said = await page.locator("[name=password]").getAttribute("aria-describedby");
  assert.match(await page.locator(`#${said}`).innerText(), /The name or the password is not right/);
  await context.close();
});
