// Nothing typed is lost when a session ends: a form that comes too late is kept, and sent after signing in. In a real
// browser, as only there it shows that a click on our page sends a post to another address.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { atSignIn, picture, program, signIn, startBrowser, startDemo, submit, visit } from "./demo.mjs";

const PASSWORD = "quiet teapot by the window";
const FILE = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256));
const WORDS = "A long post,\nwritten over lunch & <b>kept</b> – 100 % of it.";

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

for (const javaScriptEnabled of [true, false]) {
  test(`R3: a post with a file that came too late is sent after signing in, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async () => {
    const { context, page, troubles } = await visit(browser, gateway, { javaScriptEnabled });
    await page.goto("/posting.php?mode=reply&t=1");
    await signIn(page, "alice", PASSWORD);
    await page.goto("/posting.php?mode=reply&t=1");
    const words = `${WORDS} ${javaScriptEnabled}`;
    await page.locator("textarea").fill(words);
    await page.locator("input[type=file]").first().setInputFiles({ name: "tea & <cake>.bin", mimeType: "application/octet-stream", buffer: FILE });
    await expire(context);
    await submit(page, "form:has(textarea)");
    assert.ok(atSignIn(page), page.url());
    assert.match(await page.locator("main").innerText(), /What you were sending is safe/);
    await gateway.sessionsLast("1h");

    await signIn(page, "alice", PASSWORD);
    assert.equal(new URL(page.url()).pathname, "/.passgate/account/kept");
    assert.equal((await page.locator("textarea").first().inputValue()).replaceAll("\r\n", "\n"), words);
    assert.match(await page.locator("main").innerText(), /tea & <cake>\.bin/);
    await page.screenshot({ path: picture("kept-in-use"), fullPage: true });
    await submit(page, 'form[action$="/kept/send"]');
    assert.equal(new URL(page.url()).pathname, "/posting.php");
    assert.match(await page.locator("body").innerText(), /Your post was taken/);
    await page.reload();
    assert.equal(new URL(page.url()).pathname, "/.passgate/account/kept", "what a reload sends is nothing for the forum");
    assert.equal(await page.getByRole("button", { name: "Send it now" }).count(), 0);
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
}
