// Nothing typed is lost when a session ends: a form that comes too late is kept, and sent after signing in. In a real
// browser, as only there it shows that a click on our page sends a post to another address.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { atSignIn, program, signIn, startBrowser, startDemo, submit, visit } from "./demo.mjs";
import { looksWell } from "./looks.mjs";

const PASSWORD = "quiet teapot by the window";
const FILE = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256));
const WORDS = "A long post,\nwritten over lunch & <b>kept</b> – 100 % of it.";

const KEPT = "/.passgate/account/kept";
const SEND = 'form[action$="/kept/send"]';

let demo, browser, gateway;

before(async () => {
  demo = await startDemo();
  gateway = await startGateway(demo.upstream);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await demo?.stop();
});

/** A port that is free now. */
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Runs the program to its end. */
function run(args, input = "") {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (text) => (said += text));
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(" ")}: ${said}`))));
    child.stdin.end(input);
  });
}

/** A gateway before the demo's forum whose sessions can be made to expire, with `alice`. */
async function startGateway(upstream) {
  const folder = mkdtempSync(join(tmpdir(), "passgate-kept-"));
  const port = await freePort();
  const config = join(folder, "gateway.toml");
  const write = (time) =>
    writeFileSync(
      config,
      `[server]\nlisten = "127.0.0.1:${port}"\npublic_url = "http://localhost:${port}"\nadmin_listen = ""\n` +
        `data_dir = "${folder}/data"\n[upstream]\nurl = "${upstream}"\n` +
        `[session]\nidle = "${time}"\nabsolute = "${time}"\n`,
    );
  write("1h");
  await run(["user", "add", "alice", "--password-stdin", "--config", config], `${PASSWORD}\n`);
  const child = spawn(program, ["serve", "--config", config], { stdio: ["ignore", "ignore", "pipe"] });
  const ready = new Promise((resolve) => {
    child.stderr.on("data", (text) => String(text).includes("ready") && resolve());
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await Promise.race([ready, ended.then((code) => Promise.reject(new Error(`it ended with ${code}`)))]);
  return {
    url: `http://localhost:${port}/`,
    sessionsLast: async (time) => {
      write(time);
      await run(["reload", "--config", config]);
    },
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Returns when the session in this browser is over. */
async function expire(context) {
  await gateway.sessionsLast("1s");
  while ((await context.request.get("/whoami.json")).ok());
}

/** Signs in, fills in a post and sends it when the session is over. */
async function postTooLate(context, page, words, files = []) {
  await gateway.sessionsLast("1h");
  await page.goto("/posting.php?mode=reply&t=1");
  if (atSignIn(page)) await signIn(page, "alice", PASSWORD);
  await page.goto("/posting.php?mode=reply&t=1");
  await page.locator("textarea").fill(words);
  await page.locator("input[type=file]").first().setInputFiles(files);
  await expire(context);
  await submit(page, "form:has(textarea)");
}

/** Signs in on the page that is open, for an hour. */
async function signInAgain(page) {
  await gateway.sessionsLast("1h");
  await signIn(page, "alice", PASSWORD);
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

for (const colorScheme of ["light", "dark"]) {
  for (const width of [320, 1280]) {
    test(`the pages of kept forms, ${colorScheme}, ${width} pixels wide`, async () => {
      const options = { colorScheme, viewport: { width, height: 800 } };
      const { context, page, troubles } = await visit(browser, gateway, options);
      const looks = (name) => looksWell(page, name, colorScheme, width);
      await postTooLate(context, page, WORDS, [upload(FILE)]);
      await looks("sign-in-with-kept-form");
      await signInAgain(page);
      await looks("kept");
      await submit(page, SEND);
      await page.goto(KEPT);
      await looks("kept-sent");
      await submit(page, 'form[action$="/kept/discard"]');
      await looks("kept-nothing");
      await postTooLate(context, page, WORDS, [upload(Buffer.alloc(9 << 20))]);
      await looks("form-too-large");
      assert.deepEqual(troubles, []);
      await context.close();
    });
  }
}
