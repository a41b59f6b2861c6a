// How good a new password is, shown while it is typed, wherever one is typed; and that nothing is missed without it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, visit } from "./demo.mjs";
import { CHANGE, startForum } from "./forum.mjs";
import { startGateway } from "./gateway.mjs";
import { looksWell } from "./looks.mjs";
import { ACCOUNT, button, path, signInByPassword } from "./member.mjs";

const ADDRESS = "/.passgate/api/password-strength";
const GOOD = "wren magnet orchard ladle";
let gateway, generating, forum, browser;

before(async () => {
  gateway = await startGateway({ more: '[registration]\nmode = "invitation"' });
  forum = await startForum();
  const generated = `[forum]\npreset = "generic-form"\npasswords = "generated"\n[forum.override]\n${CHANGE}`;
  generating = await startGateway({ upstream: forum.url, more: generated });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  for (const site of [gateway, generating, forum]) await site?.stop();
});

const status = (page) => page.locator(".strength [role=status]");
const bars = (page) => page.locator(".bars i").evaluateAll((all) => all.filter((bar) => parseFloat(getComputedStyle(bar).borderTopWidth) > 2).length);
const invitation = async () => (await gateway.operate("invitation", "make")).match(/http\S+/)[0];

/** Types it and waits for what is said of it. */
async function type(page, password, words) {
  await page.locator("[name=password]").fill(password);
  await status(page).getByText(words).waitFor();
}

/** Where a new password is typed: how one gets there, what the field is called, and what is known of whoever types. */
const PAGES = {
  "the page of a link": async (page, member) => page.goto(await gateway.link(member, "--set-up")),
  "the page of an invitation": async (page, { name }) => {
    await page.goto(await invitation());
    await page.getByLabel("Name", { exact: true }).fill(name);
  },
  "the member's own page": async (page, member) => {
    await signInByPassword(page, member);
    await page.goto(`${ACCOUNT}/password`);
  },
};

for (const [name, open] of Object.entries(PAGES)) {
  test(`AUTH-04: on ${name} one sees how good the password is`, async () => {
    const { context, page, troubles } = await visit(browser, gateway);
    const asked = [];
    page.on("request", (request) => request.url().includes(ADDRESS) && asked.push(request));
    const member = await gateway.addMember();
    await open(page, member);
    assert.equal(await bars(page), 0);
    await type(page, "short", "a little short");
    assert.deepEqual([await bars(page), asked.length], [1, 0], "that needs no asking");
    await type(page, "correct horse battery staple", "tried first");
    await type(page, `${member.name} ${member.name}`, "made of your name here");
    await type(page, "monkeymonkey1234!", "easy to guess");
    assert.equal(await bars(page), 2);
    await type(page, GOOD, "a very good password");
    assert.equal(await bars(page), 4);
    assert.ok(asked.every((request) => request.method() === "POST" && new URL(request.url()).pathname === ADDRESS));
    assert.ok(asked.every((request) => new URL(request.url()).search === ""), "nothing stands in an address");
    await page.locator("[name=password]").fill("");
    await status(page).getByText("password").waitFor({ state: "detached" });
    assert.equal(await bars(page), 0);
    assert.deepEqual(troubles, []);
    await context.close();
  });
}

test("a password for the forum is judged, too", async () => {
  const { context, page } = await visit(browser, generating);
  await signInByPassword(page, await generating.addMember("members"));
  await page.goto(`${ACCOUNT}/forum/password`);
  await type(page, "monkeymonkey1234!", "easy to guess");
  await type(page, GOOD, "a very good password");
  await context.close();
});

test("what is said follows what is typed, and not every key asks", async () => {
  const { context, page } = await visit(browser, gateway);
  await page.goto(await gateway.link(await gateway.addMember(), "--set-up"));
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const asked = [];
  await page.route(`**${ADDRESS}`, async (route) => {
    asked.push(route.request().postDataJSON().password);
    if (asked.length === 1) await held;
    await route.continue();
  });
  const password = page.getByLabel("New password");
  await password.pressSequentially("monkeymonkey1234!");
  while (asked.length < 1) await page.waitForTimeout(50);
  await password.pressSequentially(" and a ladle in the orchard");
  await status(page).getByText("a very good password").waitFor();
  release();
  await page.waitForResponse((response) => response.request().postDataJSON()?.password === asked[0]).catch(() => {});
  assert.match(await status(page).innerText(), /a very good password/, "an answer that comes late is no answer");
  assert.ok(asked.length <= 3, `${asked.length} were asked for 44 keys`);
  await context.close();
});

test("THR-09: a gateway that wants a pause is asked no more for that long, and one that is busy once more", async () => {
  const { context, page } = await visit(browser, gateway);
  await page.goto(await gateway.link(await gateway.addMember(), "--set-up"));
  const answers = [{ status: 503, headers: { "Retry-After": "0" } }, undefined, { status: 429, headers: { "Retry-After": "3600" } }];
  let asked = 0;
  await page.route(`**${ADDRESS}`, (route) => {
    const answer = answers[asked++];
    return answer ? route.fulfill({ ...answer, body: "{}" }) : route.continue();
  });
  await type(page, GOOD, "a very good password");
  assert.equal(asked, 2);
  await page.locator("[name=password]").fill(`${GOOD} 2`);
  await status(page).getByText("password").waitFor({ state: "detached" });
  await type(page, "short", "a little short");
  await page.locator("[name=password]").fill(`${GOOD} 3`);
  await status(page).getByText("password").waitFor({ state: "detached" });
  assert.equal(asked, 3);
  await button(page, "Save password").click();
  await page.waitForURL("**/login?notice=password-set");
  await context.close();
});

test("without scripts there is no meter, and the form says what is wrong", async () => {
  const { context, page } = await visit(browser, gateway, { javaScriptEnabled: false });
  await page.goto(await gateway.link(await gateway.addMember(), "--set-up"));
  assert.equal(await page.locator(".strength").isVisible(), false);
  await page.getByLabel("New password").fill("monkeymonkey1234!");
  await button(page, "Save password").click();
  await page.getByRole("alert").getByText("easy to guess").waitFor();
  await page.getByLabel("New password").fill(GOOD);
  await button(page, "Save password").click();
  assert.equal(path(page), "/.passgate/login");
  await context.close();
});

test("it can be read in light and dark, narrow and wide, and by a screen reader", async () => {
  const { context, page, troubles } = await visit(browser, gateway);
  await page.goto(await gateway.link(await gateway.addMember(), "--reset"));
  assert.equal(await status(page).evaluate((region) => region.parentElement.checkVisibility()), true, "it is there before it speaks");
  for (const [name, password, words] of [
    ["empty", "", ""],
    ["short", "short", "a little short"],
    ["guessable", "monkeymonkey1234!", "easy to guess"],
    ["good", "rainy rainy days", "a good password"],
    ["very-good", GOOD, "a very good password"],
  ]) {
    if (password) await type(page, password, words);
    await looksWell(page, `password-strength-${name}`);
  }
  await page.emulateMedia({ forcedColors: "active" });
  assert.equal(await bars(page), 4, "bars are counted where colours are forced");
  assert.deepEqual(troubles, []);
  await context.close();
});
