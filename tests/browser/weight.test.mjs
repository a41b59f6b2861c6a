// What the first view of the sign-in page costs on the wire, headers included; and that a second view asks for the page
// alone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser, startDemo, visit } from "./demo.mjs";
import { LOGIN } from "./member.mjs";

/** In bytes. It was 17,946 when this was written, 6 KB of them header fields; a font or a library would not fit. */
const BUDGET = 20 * 1024;

let demo, browser;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

test("the first view of the sign-in page is light, and the second asks for nothing but the page", async () => {
  const { context, page } = await visit(browser, demo);
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let sent = [];
  const names = new Map();
  session.on("Network.responseReceived", ({ requestId, response }) => names.set(requestId, response));
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const { url, fromDiskCache, headers } = names.get(requestId);
    sent.push({ path: new URL(url).pathname, bytes: encodedDataLength, isCached: fromDiskCache, coding: headers["Content-Encoding"] });
  });
  const view = async () => {
    sent = [];
    await page.goto(LOGIN, { waitUntil: "networkidle" });
    return sent.filter(({ bytes, isCached }) => bytes > 0 && !isCached);
  };
  const first = await view();
  const sum = first.reduce((sum, { bytes }) => sum + bytes, 0);
  const list = first.map(({ path, bytes }) => `${path} ${bytes}`).join("\n");
  assert.ok(first.length >= 4 && sum <= BUDGET, `${sum} bytes:\n${list}`);
  const scripts = first.filter(({ path }) => /\.(css|js)$/.test(path));
  assert.ok(scripts.length === 3 && scripts.every(({ coding }) => coding === "gzip"), list);
  const again = (await view()).map(({ path }) => path);
  assert.deepEqual([...new Set(again)].filter((path) => path.includes("/assets/")), []);
  await context.close();
});
