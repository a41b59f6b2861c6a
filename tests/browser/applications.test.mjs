// Real applications with members of their own, MediaWiki and WordPress: a member comes along with their password, adds a passkey, and
// is at home in the application with one touch. Their own scripts run, and the member signs out by them. Needs
// `tests/setup.sh apps`.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startApplication } from "./application.mjs";
import { startBrowser } from "./demo.mjs";
import { startGateway } from "./gateway.mjs";
import { ACCOUNT, LOGIN, addPasskey, path, signInByPassword, visitWith } from "./member.mjs";

const APPLICATIONS = [
  {
    name: "mediawiki",
    title: "a wiki",
    isInstalled: existsSync("/usr/share/mediawiki"),
    home: "/index.php/Main_Page",
    dump: "mariadb-dump --no-defaults --user=root --socket=mysql.sock wiki",
    cookies: /^wiki(_session|UserID|UserName|Token)$/,
    knows: (page) => page.locator("#pt-userpage").getByText("Alice", { exact: true }).waitFor(),
    write: async (page, words) => {
      await page.goto("/index.php?title=Notes&action=edit");
      await page.locator("#wpTextbox1").fill(words);
      await page.locator("#wpSave").click();
    },
    // Its script posts, and goes on to another page.
    leave: async (page) => {
      await page.locator("#pt-logout a").click();
      await page.getByText("You are now logged out.").waitFor();
    },
  },
  {
    name: "wordpress",
    title: "a blog",
    isInstalled: existsSync("/usr/share/wordpress"),
    home: "/?p=1",
    dump: "mariadb-dump --no-defaults --user=root --socket=mysql.sock wordpress",
    cookies: /^wordpress_/,
    knows: (page) => page.getByText("Logged in as alice").waitFor(),
    write: async (page, words) => {
      await page.goto("/?p=1");
      await page.locator("#comment").fill(words);
      await page.locator("#commentform #submit").click();
    },
    leave: async (page) => {
      await page.getByRole("link", { name: "Log out?" }).click();
      await page.locator("#commentform #author").waitFor();
    },
  },
];

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.close());

for (const { name, title, isInstalled, home, dump, cookies, knows, write, leave } of APPLICATIONS) {
  test(`a member of ${title} brings the password they always had, and is there with one touch from then on`, { skip: !isInstalled }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "passgate-dump-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const forum = await startApplication(name, home);
    t.after(() => forum.stop());
    const gateway = await startGateway({ upstream: forum.url, more: `[access]\ndefault = "guest"\n[forum]\npreset = "${name}"` });
    t.after(() => gateway.stop());
    writeFileSync(join(folder, "dump.sql"), await forum.sh(dump));
    await gateway.operate("user", "import", join(folder, "dump.sql"), "--from", name);

    const visit = await visitWith(browser, gateway);
    const { context, page } = visit;
    await visit.present(false);
    await signInByPassword(page, { name: "alice", password: "Wonder-land.2049" });
    await page.goto(home);
    await knows(page);
    await visit.present(true);
    await addPasskey(page, "Phone");
    await page.goto(home);
    // Or it would answer the sign-in page's quiet question for a passkey by itself.
    await visit.present(false);
    await leave(page);
    await page.goto(ACCOUNT);
    assert.equal(path(page), LOGIN, "signing out there is signing out here");
    await visit.present(true);

    await page.goto(`${LOGIN}?return_to=${encodeURIComponent(home)}`);
    await page.waitForURL((url) => !url.pathname.startsWith("/.passgate/"));
    await knows(page);
    await write(page, "Said with one touch");
    await page.getByText("Said with one touch").waitFor();
    const names = (await context.cookies()).map(({ name }) => name);
    assert.deepEqual(names.filter((name) => cookies.test(name)), [], "what the application knows them by stays with passgate");
    await context.close();
  });
}
