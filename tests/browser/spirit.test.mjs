// A forum as it comes, django-spirit: its administration takes a fresh proof of who is there, and its members come along
// with their passwords and are signed in there by passgate. Needs `tests/setup.sh apps`.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startApplication } from "./application.mjs";
import { NAMES, certificates, ownTls } from "./authority.mjs";
import { here, startBrowser, submit } from "./demo.mjs";
import { freePort, startGateway } from "./gateway.mjs";
import { ACCOUNT, LOGIN, addPasskey, button, path, signInByPassword, trouble, visitWith } from "./member.mjs";

const isInstalled = existsSync(here("target/venv/bin/python"));

let folder, forum, gateway, bridged, browser;

/** Starts the forum; its alice may administer it. */
async function startSpirit() {
  const forum = await startApplication("spirit", "/");
  const admin = "update spirit_user_userprofile set is_moderator=1, is_administrator=1 where user_id=(select id from auth_user where username='alice')";
  await forum.sh(`sqlite3 db.sqlite3 "${admin}"`);
  writeFileSync(join(folder, "spirit.sql"), await forum.sh("sqlite3 db.sqlite3 .dump"));
  return forum;
}

before(async () => {
  if (!isInstalled) return;
  folder = mkdtempSync(join(tmpdir(), "passgate-spirit-"));
  forum = await startSpirit();
  const more = '[access]\ndefault = "guest"\n[[access.rule]]\npath = "/st/admin/**"\nstep_up = "5s"';
  gateway = await startGateway({ upstream: forum.url, more });
  bridged = await startGateway({ upstream: forum.url, more: '[forum]\npreset = "spirit"' });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await bridged?.stop();
  await forum?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

test("MF-08, BP-64: a forum's administration opens after a passkey of one's own, and not after another's", { skip: !isInstalled }, async () => {
  const visit = await visitWith(browser, gateway);
  const { context, page } = visit;
  const [stranger, member] = [await gateway.addMember(), await gateway.addMember()];
  await signInByPassword(page, stranger);
  await addPasskey(page, "A stranger's");
  const [foreign] = await visit.credentials();
  await visit.exchange({});
  await context.clearCookies();
  await signInByPassword(page, member);
  await addPasskey(page, "My own");
  const [own] = await visit.credentials();

  await page.goto("/user/login/");
  await page.locator("#id_username").fill("alice");
  await page.locator("#id_password").fill("Wonder-land.2049");
  await submit(page, "form:has(#id_password)");
  await visit.exchange({});
  await visit.bring(foreign);
  // A real gateway has a real clock; in a few seconds the proof is too old.
  while (path(page) !== "/.passgate/login") await page.goto("/st/admin/user/?page=1");
  await page.getByRole("heading", { name: "Please confirm it’s you" }).waitFor();
  await button(page, "Confirm with a passkey").click();
  await trouble(page).getByText("We need to know it’s you").waitFor();
  assert.equal(path(page), "/.passgate/login");

  await visit.bring(own);
  await button(trouble(page), "Try again").click();
  await page.waitForURL((url) => url.pathname === "/st/admin/user/" && url.search === "?page=1");
  assert.match(await page.locator("body").innerText(), /alice/);
  await page.goto(ACCOUNT);
  assert.ok(await page.getByText("used for this session").isVisible());
  await context.close();
});

test("a member of the forum signs in with the password they always had, adds a passkey, and is in the forum with one touch", { skip: !isInstalled }, async () => {
  await bridged.operate("user", "import", join(folder, "spirit.sql"), "--from", "spirit");
  const visit = await visitWith(browser, bridged);
  const { context, page, troubles } = visit;
  const isKnown = () => page.locator('a[href^="/user/logout/"]').first().waitFor({ state: "attached" });
  await visit.present(false);
  await signInByPassword(page, { name: "alice", password: "Wonder-land.2049" });
  await page.goto("/");
  await isKnown();
  await visit.present(true);
  await addPasskey(page, "Phone");
  // Or it would answer the sign-in page's quiet question for a passkey by itself.
  await visit.present(false);
  await page.goto("/user/logout/");
  await submit(page, "form:has(input[name=post])");
  await page.goto(ACCOUNT);
  assert.equal(path(page), LOGIN, "signing out at the forum is signing out here");
  await visit.present(true);

  await page.goto(`${LOGIN}?return_to=%2Fuser%2F`);
  await page.waitForURL((url) => !url.pathname.startsWith("/.passgate/"));
  await isKnown();
  assert.deepEqual((await context.cookies()).filter(({ name }) => name === "sessionid"), [], "the forum's session stays with passgate");
  assert.deepEqual(troubles, []);
  await context.close();
});

test("over passgate's own TLS all of the forum comes by HTTP/2, and a member is known to it", { skip: !isInstalled }, async () => {
  await certificates(folder);
  const port = await freePort();
  const more = `${ownTls(folder, port)}\n[forum]\npreset = "spirit"`;
  const direct = await startGateway({ upstream: forum.url, publicUrl: () => `https://forum.test:${port}`, more });
  const trusting = await startBrowser({ flags: [NAMES], env: { ...process.env, HOME: folder } });
  try {
    await direct.operate("user", "import", join(folder, "spirit.sql"), "--from", "spirit");
    const { page, troubles } = await visitWith(trusting, direct);
    await signInByPassword(page, { name: "alice", password: "Wonder-land.2049" });
    await page.goto("/", { waitUntil: "networkidle" });
    await page.locator('a[href^="/user/logout/"]').first().waitFor({ state: "attached" });
    const came = await page.evaluate(() =>
      ["navigation", "resource"].map((kind) => performance.getEntriesByType(kind).map(({ name, nextHopProtocol }) => [name, nextHopProtocol])),
    );
    assert.ok(came[0].length === 1 && came[1].length > 2, `a page with style and scripts: ${JSON.stringify(came)}`);
    const others = came.flat().filter(([name, protocol]) => protocol !== "h2" || !name.startsWith(`${direct.url}/`));
    assert.deepEqual(others, []);
    assert.deepEqual(troubles, []);
  } finally {
    await trusting.close();
    await direct.stop();
  }
});
