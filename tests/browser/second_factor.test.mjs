// Two-step sign-in in a real browser: set up with an app, signed in with it, with a recovery code, and in a browser that is trusted; with
// scripts and without.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { code, keyOf } from "./app.mjs";
import { signIn, signOut, startBrowser, startDemo, visit } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";
import { ACCOUNT, button, path, signInByPassword } from "./member.mjs";

const TWO_STEP = "/.passgate/account/two-step";
const TOPIC = "/viewtopic.php?t=1";
let demo, site, browser;

before(async () => {
  demo = await startDemo();
  site = await startGateway({ upstream: demo.upstream });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await site?.stop();
  await demo?.stop();
});

const whoami = async (context) => (await context.request.get("/whoami.json")).json();

/** Sets it up for a new member who is signed in on the page; the code before this moment's confirms the key. */
async function setUp(page) {
  await page.goto(ACCOUNT);
  await page.getByRole("link", { name: "Set up two-step sign-in" }).click();
  const key = await keyOf(page);
  await page.getByRole("textbox", { name: "Code" }).fill(code(key, -1));
  await button(page, "Turn on").click();
  const codes = (await page.locator(".codes pre").innerText()).trim().split("\n");
  assert.equal(codes.length, 10);
  return { key, codes };
}

for (const javaScriptEnabled of [true, false]) {
  test(`AUTH-10: a code after the password, ${javaScriptEnabled ? "with" : "without"} scripts`, async () => {
    const member = await site.addMember("members");
    const first = await visit(browser, site, { javaScriptEnabled });
    await signInByPassword(first.page, member);
    const { key, codes } = await setUp(first.page);
    assert.equal(await button(first.page, "Print").isVisible(), javaScriptEnabled);
    await first.page.getByRole("link", { name: "I have them, go on" }).click();
    assert.match(await first.page.locator("#two-step").innerText(), /10 recovery codes left/);

    const { context, page, troubles } = await visit(browser, site, { javaScriptEnabled });
    await page.goto(TOPIC);
    await signIn(page, member.name, member.password);
    assert.equal(path(page), "/.passgate/login/code");
    assert.equal((await whoami(context)).code, "sign-in-required", "no session yet");
    await page.getByRole("textbox", { name: "Code" }).fill("000 000");
    await button(page, "Sign in").click();
    await page.getByRole("alert").getByText("That didn’t work").waitFor();
    const now = code(key);
    await page.getByRole("textbox", { name: "Code" }).fill(`${now.slice(0, 3)} ${now.slice(3)}`);
    await page.getByLabel("Don’t ask again").check();
    await button(page, "Sign in").click();
    await page.waitForURL(`**${TOPIC}`);
    assert.equal((await whoami(context)).member, member.name);

    await page.goto(ACCOUNT);
    assert.match(await page.locator("#two-step").innerText(), /Browsers you trust[\s\S]*this browser/);
    await page.context().clearCookies({ name: /passgate$/ });
    await page.goto(TOPIC);
    await signIn(page, member.name, member.password);
    await page.waitForURL(`**${TOPIC}`);

    await page.goto(ACCOUNT);
    await signOut(page);
    await page.goto(TOPIC);
    await signIn(page, member.name, member.password);
    await page.getByRole("link", { name: "Use a recovery code" }).click();
    await page.getByLabel("Recovery code").fill(codes[0].toUpperCase());
    await button(page, "Sign in").click();
    await page.waitForURL(`**${TOPIC}`);
    await page.goto(ACCOUNT);
    assert.match(await page.locator("#two-step").innerText(), /9 recovery codes left/);
    assert.deepEqual([...troubles, ...first.troubles], []);
    await context.close();
    await first.context.close();
  });
}

test("who needs a second factor is led to set it up, and to the page asked for", async (t) => {
  const required = await startGateway({
    upstream: demo.upstream,
    more: '[second_factor]\nrequired_groups = ["admins"]',
  });
  t.after(() => required.stop());
  const member = await required.addMember("admins");
  const { context, page, troubles } = await visit(browser, required);
  await page.goto(TOPIC);
  await signIn(page, member.name, member.password);
  assert.equal(path(page), TWO_STEP);
  assert.equal((await whoami(context)).code, "second-factor-required", "nothing of the forum before it");
  await page.getByRole("textbox", { name: "Code" }).fill(code(await keyOf(page)));
  await button(page, "Turn on").click();
  await page.getByRole("link", { name: "I have them, go on" }).click();
  await page.waitForURL(`**${TOPIC}`);
  assert.equal((await whoami(context)).member, member.name);
  assert.deepEqual(troubles, []);
  await context.close();

});
