// Nothing typed is lost when a session ends: a form that comes too late is kept, and sent after signing in. In a real
// browser, as only there it shows that a click on our page sends a post to another address.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { atSignIn, signIn, startBrowser, startDemo, submit, visit } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";
import { looksWell } from "./looks.mjs";

const FILE = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256));
const WORDS = "A long post,\nwritten over lunch & <b>kept</b> – 100 % of it.";

const KEPT = "/.passgate/account/kept";
const SEND = 'form[action$="/kept/send"]';

let demo, browser, gateway, alice;

before(async () => {
  demo = await startDemo();
  gateway = await startGateway({ upstream: demo.upstream, more: session("1h") });
  alice = await gateway.addMember();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await demo?.stop();
});

const session = (time) => `[session]\nidle = "${time}"\nabsolute = "${time}"`;
const sessionsLast = (time) => gateway.reconfigure(session(time));

/** Returns when the session in this browser is over. */
async function expire(context) {
  await sessionsLast("1s");
  while ((await context.request.get("/whoami.json")).ok());
}

/** Signs in, fills in a post and sends it when the session is over. */
async function postTooLate(context, page, words, files = []) {
  await sessionsLast("1h");
  await page.goto("/posting.php?mode=reply&t=1");
  if (atSignIn(page)) await signIn(page, alice.name, alice.password);
  await page.goto("/posting.php?mode=reply&t=1");
  await page.locator("textarea").fill(words);
  await page.locator("input[type=file]").first().setInputFiles(files);
  await expire(context);
  await submit(page, "form:has(textarea)");
}

/** Signs in on the page that is open, for an hour. */
async function signInAgain(page) {
  await sessionsLast("1h");
  await signIn(page, alice.name, alice.password);
}

const upload = (buffer) => ({ name: "tea & <cake>.bin", mimeType: "application/octet-stream", buffer });

for (const javaScriptEnabled of [true, false]) {
  describe(`a browser ${javaScriptEnabled ? "with" : "without"} JavaScript`, () => {
    test("R3: a post with a file that came too late is sent after signing in", async () => {
      const { context, page, troubles } = await visit(browser, gateway, { javaScriptEnabled });
      const words = `${WORDS} ${javaScriptEnabled}`;
      await postTooLate(context, page, words, [upload(FILE)]);
      assert.ok(atSignIn(page), page.url());
      assert.match(await page.locator("main").innerText(), /What you were sending is safe/);

      await signInAgain(page);
      assert.equal(new URL(page.url()).pathname, KEPT);
      assert.equal((await page.locator("textarea").first().inputValue()).replaceAll("\r\n", "\n"), words);
      assert.match(await page.locator("main").innerText(), /tea & <cake>\.bin/);
      await submit(page, SEND);
      assert.equal(new URL(page.url()).pathname, "/posting.php");
      assert.match(await page.locator("body").innerText(), /Your post was taken/);
      await page.reload();
      assert.equal(new URL(page.url()).pathname, KEPT, "what a reload sends is nothing for the forum");
      assert.equal(await page.locator(SEND).count(), 0);
      assert.match(await page.locator("main").innerText(), /Sent to/);

      await page.goto("/viewtopic.php?t=1&start=15");
      const posts = (await page.locator("body").innerText()).split(`100 % of it. ${javaScriptEnabled}`);
      assert.equal(posts.length, 2, "it is there once");
      const link = page.locator("a", { hasText: "tea" }).last();
      const file = await context.request.get(new URL(await link.getAttribute("href"), page.url()).href);
      assert.ok(FILE.equals(await file.body()), "the file is the same byte for byte");
      assert.equal((await context.cookies()).some((cookie) => cookie.name.endsWith("passgate-send")), false);
      assert.deepEqual(troubles, []);
      await context.close();
    });
  });
}

test("R3: one that is too large is still in the browser when the member goes back", async () => {
  const { context, page } = await visit(browser, gateway);
  await postTooLate(context, page, WORDS, [upload(Buffer.alloc(9 << 20))]);
  assert.match(await page.locator("main").innerText(), /too large for us to keep/);
  const [other] = await Promise.all([context.waitForEvent("page"), page.getByRole("link", { name: "Sign in in a new tab" }).click()]);
  await signInAgain(other);
  assert.equal(new URL(other.url()).pathname, "/.passgate/account");
  await other.close();
  await page.goBack();
  assert.equal(await page.locator("textarea").inputValue(), WORDS);
  await page.locator("input[type=file]").first().setInputFiles([]);
  await submit(page, "form:has(textarea)");
  assert.match(await page.locator("body").innerText(), /Your post was taken/);
  await context.close();
});

test("the pages of kept forms", async () => {
  const { context, page, troubles } = await visit(browser, gateway);
  await postTooLate(context, page, WORDS, [upload(FILE)]);
  await looksWell(page, "sign-in-with-kept-form");
  await signInAgain(page);
  await looksWell(page, "kept");
  await submit(page, SEND);
  await page.goto(KEPT);
  await looksWell(page, "kept-sent");
  await submit(page, 'form[action$="/kept/discard"]');
  await looksWell(page, "kept-nothing");
  await postTooLate(context, page, WORDS, [upload(Buffer.alloc(9 << 20))]);
  await looksWell(page, "form-too-large");
  assert.deepEqual(troubles, []);
  await context.close();
});
