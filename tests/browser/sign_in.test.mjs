// What a member does: sign in, come back to the page asked for, post, sign out. With and without JavaScript.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { atSignIn, signIn, signOut, startBrowser, startDemo, submit, visit } from "./demo.mjs";

let demo, browser, alice;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
  alice = demo.members.find((member) => member.name === "alice") ?? demo.members[0];
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** What the forum behind the gateway received with a request from this page's browser. */
const whoami = async (context) => (await context.request.get("/whoami.json")).json();

for (const javaScriptEnabled of [true, false]) {
  describe(`a browser ${javaScriptEnabled ? "with" : "without"} JavaScript`, () => {
    test("signs in and comes to the page that was asked for, its query included", async () => {
      const { context, page, troubles } = await visit(browser, demo, { javaScriptEnabled });
      await page.goto("/viewtopic.php?t=1;start=0&x=a%7Cb");
      assert.ok(atSignIn(page), page.url());
      await signIn(page, alice.name, alice.password);
      assert.equal(page.url(), new URL("/viewtopic.php?t=1;start=0&x=a%7Cb", demo.url).href);
      assert.equal((await whoami(context)).member, alice.name);
      assert.deepEqual(troubles, []);
      await context.close();
    });

    test("is told kindly that name and password do not belong together, and may try again", async () => {
      const { context, page, troubles } = await visit(browser, demo, { javaScriptEnabled });
      await page.goto("/index.php");
      await signIn(page, alice.name, "not the password");
      const said = page.locator("[role=alert]");
      assert.equal(await said.count(), 1);
      const wrongPassword = await said.innerText();
      assert.equal(await page.locator("input[name=username]").inputValue(), alice.name, "the name is kept");
      assert.equal(await page.locator("input[name=password]").inputValue(), "", "the password is not");

      await signIn(page, "nobody-of-this-name", "not the password");
      assert.equal(await said.innerText(), wrongPassword, "an unknown name is answered alike");
      assert.equal((await context.cookies()).some((cookie) => /^(__Host-)?passgate$/.test(cookie.name)), false);

      await signIn(page, alice.name, alice.password);
      assert.equal(new URL(page.url()).pathname, "/index.php", "the page asked for is not forgotten");
      assert.deepEqual(troubles, []);
      await context.close();
    });

    test("says that others use the computer, and then nothing stays", async () => {
      const { context, page, troubles } = await visit(browser, demo, { javaScriptEnabled });
      await page.goto("/index.php");
      const [stay, shared] = [page.getByLabel("Stay signed in"), page.getByLabel("This is a shared computer")];
      await stay.check();
      await shared.check();
      assert.equal(await stay.isVisible(), false, "one of the two");
      await signIn(page, alice.name, alice.password);
      const ours = (await context.cookies()).filter(({ name }) => /passgate/.test(name));
      assert.ok(ours.some(({ name }) => /^(__Host-)?passgate$/.test(name)));
      for (const { name, expires } of ours) assert.equal(expires, -1, `${name} goes with the browser`);
      assert.deepEqual(troubles, []);
      await context.close();
    });

    test("posts at the forum and sees the member's name", async () => {
      const { context, page } = await visit(browser, demo, { javaScriptEnabled });
      await page.goto("/viewtopic.php?t=1");
      await signIn(page, alice.name, alice.password);
      const words = `Posted ${javaScriptEnabled ? "with" : "without"} a script.`;
      await page.goto("/posting.php?mode=reply&t=1");
      await page.locator("textarea").fill(words);
      await submit(page, "form:has(textarea)");
      await page.goto("/viewtopic.php?t=1&start=15");
      const text = await page.locator("body").innerText();
      assert.ok(text.includes(words), text);
      assert.ok(text.includes(alice.name), text);
      await context.close();
    });

    test("signs out, and no page is reachable afterwards", async () => {
      const { context, page, troubles } = await visit(browser, demo, { javaScriptEnabled });
      await page.goto("/index.php");
      await signIn(page, alice.name, alice.password);
      const cookies = await context.cookies();
      await signOut(page);
      await page.goto("/viewtopic.php?t=1");
      assert.ok(atSignIn(page), page.url());

      // Someone who kept the cookie is no better off.
      await context.addCookies(cookies);
      await page.goto("/viewtopic.php?t=1");
      assert.ok(atSignIn(page), page.url());
      assert.deepEqual(troubles, []);
      await context.close();
    });
  });
}

test("the session cookie can be read by no script and is sent by no other site", async () => {
  const { context, page } = await visit(browser, demo);
  await page.goto("/index.php");
  await signIn(page, alice.name, alice.password);
  const session = (await context.cookies()).find((cookie) => /^(__Host-)?passgate$/.test(cookie.name));
  assert.equal(session.httpOnly, true);
  assert.equal(session.sameSite, "Lax");
  assert.equal(session.path, "/");
  assert.equal((await page.evaluate(() => document.cookie)).includes(session.value), false);
  assert.equal(JSON.stringify(await whoami(context)).includes(session.value), false, "the forum does not get it");
  await context.close();
});

test("the fields are named so that password managers know them", async () => {
  const { context, page } = await visit(browser, demo);
  await page.goto("/.passgate/login");
  assert.match(await page.locator("input[name=username]").getAttribute("autocomplete"), /^username\b/);
  assert.equal(await page.locator("input[name=password]").getAttribute("autocomplete"), "current-password");
  assert.equal(await page.locator("form:has(input[name=password])").getAttribute("method"), "post");
  await context.close();
});

test("a script of an open page is told 401 when the session is gone, instead of getting a page it can't read", async () => {
  const { context, page } = await visit(browser, demo);
  await page.goto("/index.php");
  await signIn(page, alice.name, alice.password);
  await context.clearCookies();
  const answer = await page.evaluate(async () => {
    const response = await fetch("/ajax.php", { headers: { "X-Requested-With": "XMLHttpRequest" } });
    return { status: response.status, redirected: response.redirected, type: response.headers.get("content-type") };
  });
  assert.equal(answer.status, 401);
  assert.equal(answer.redirected, false);
  assert.match(answer.type, /json/);
  await context.close();
});
