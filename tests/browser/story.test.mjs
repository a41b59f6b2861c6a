// The whole life of an account, by nothing but what the pages, the mails and the documentation say: from the invitation to a lost
// phone and back, away and back again; and what the operator does meanwhile.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { code, keyOf } from "./app.mjs";
import { program, startBrowser, startDemo, visit } from "./demo.mjs";
import { run, startGateway } from "./gateway.mjs";
import { linkIn, startPost } from "./post.mjs";

const ZOE = "zoe@forum.example";
const PASSWORD = "tin whistle over marmalade";
const NEW = "seven lamps along the quay";
let demo, post, site, browser, folder;

before(async () => {
  demo = await startDemo();
  post = await startPost();
  site = await startGateway({ upstream: demo.upstream, more: `[registration]\nmode = "invitation"\n${post.settings}` });
  browser = await startBrowser();
  folder = mkdtempSync(join(tmpdir(), "passgate-story-"));
});

after(async () => {
  await browser?.close();
  for (const started of [site, post, demo]) await started?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** What a person does on the page that is open: they press, follow and fill in what they read, and read what comes of it. */
function person(page) {
  const main = page.getByRole("main");
  return {
    press: (what) => main.getByRole("button", { name: what, exact: true }).click(),
    follow: (what) => main.getByRole("link", { name: what, exact: true }).click(),
    fill: (label, text) => main.getByLabel(label, { exact: true }).fill(text),
    reads: (what) => page.getByRole("heading", { name: what, exact: true }).waitFor(),
    isTold: (what) => page.getByRole("status").getByText(what).first().waitFor(),
    async signIn(name, password) {
      await this.fill("Name or e-mail", name);
      await this.press("Continue");
      await this.press("Use password");
      await this.fill("Password", password);
      await this.press("Sign in");
    },
    isIn: () => page.waitForURL((url) => !url.pathname.startsWith("/.passgate/")),
    signOut: () => page.getByRole("banner").getByRole("button", { name: "Sign out" }).click(),
    toAccount: () => page.goto("/.passgate/account"),
  };
}

/** The next mail to zoe with a link in it; notices have none. */
async function mailedLink() {
  for (;;) {
    const mail = await post.mail(ZOE);
    if (/^http\S+/m.test(mail.text)) return linkIn(mail);
  }
}

test("an account from the invitation to the end, and what the operator does", async () => {
  const { context, page, troubles } = await visit(browser, site);
  const zoe = person(page);

  // The operator invites her (docs/members.md), and she makes her account.
  const invited = await site.operate("invitation", "make", "--group", "members", "--email", ZOE);
  await page.goto(invited.match(/http\S+/)[0]);
  await zoe.reads("Welcome to The Sample Forum");
  await zoe.fill("Name", "Zoe");
  await zoe.fill("Password", PASSWORD);
  await zoe.isTold("a very good password");
  await zoe.press("Make my account");
  await zoe.isTold("Your account is there");
  await zoe.signIn("Zoe", PASSWORD);
  await zoe.isIn();
  await zoe.toAccount();
  await zoe.reads("Your account");

  // Her address is confirmed, so that she gets back in by mail.
  await zoe.follow("Confirm or change it");
  await zoe.fill("Your address", ZOE);
  await zoe.press("Send me a link");
  await page.goto(await mailedLink());
  await zoe.press("Yes, that is mine");
  await zoe.isTold("Your e-mail address is confirmed");

  // A second factor, and the codes she prints.
  await zoe.follow("Set up two-step sign-in");
  const key = await keyOf(page);
  await page.getByRole("textbox", { name: "Code" }).fill(code(key, -1));
  await zoe.press("Turn on");
  await zoe.reads("Your recovery codes");
  const codes = (await page.getByLabel("Recovery codes").innerText()).trim().split("\n");
  await page.evaluate(() => (window.print = () => (document.body.dataset.printed = "yes")));
  await zoe.press("Print");
  await page.locator("body[data-printed=yes]").waitFor();
  await zoe.follow("I have them, go on");

  // She signs in on her phone, too, and sees both; then she ends the phone's session from here: it is lost.
  const phone = await visit(browser, site, { viewport: { width: 390, height: 800 } });
  const onPhone = person(phone.page);
  await phone.page.goto("/index.php");
  await onPhone.signIn("zoe", PASSWORD);
  await onPhone.reads("Enter your code");
  await phone.page.getByRole("textbox", { name: "Code" }).fill(code(key));
  await onPhone.press("Sign in");
  await onPhone.isIn();
  await phone.page.goto("/whoami.php");
  await phone.page.getByText("Zoe").first().waitFor();
  await zoe.toAccount();
  await zoe.follow("See where you’re signed in, and what happened");
  await zoe.reads("Where you’re signed in");
  const others = page.getByRole("listitem").filter({ has: page.getByRole("button", { name: /^Sign out of/ }) });
  assert.equal(await others.count(), 1, "this browser and the phone");
  await others.getByRole("button").click();
  await zoe.isTold("That browser is signed out");
  await phone.page.goto("/whoami.php");
  await onPhone.reads("Sign in");
  await phone.context.close();

  // The app went with the phone. A recovery code lets her in, and she moves to a new app.
  await zoe.signOut();
  await zoe.isTold("You’re signed out");
  await zoe.signIn("Zoe", PASSWORD);
  await zoe.reads("Enter your code");
  await zoe.follow("Use a recovery code");
  await page.getByRole("textbox", { name: "Recovery code" }).fill(codes[0]);
  await zoe.press("Sign in");
  await zoe.isIn();
  await zoe.toAccount();
  await page.getByText("9 recovery codes left").waitFor();
  await zoe.follow("Turn off");
  await zoe.press("Turn off");
  await zoe.isTold("Two-step sign-in is off");
  await zoe.follow("Set up two-step sign-in");
  const newKey = await keyOf(page);
  assert.notDeepEqual(newKey, key);
  await page.getByRole("textbox", { name: "Code" }).fill(code(newKey, -1));
  await zoe.press("Turn on");
  await zoe.follow("I have them, go on");

  // She forgets her password, and gets a new one by mail; the code is asked all the same.
  await zoe.signOut();
  await zoe.follow("Forgot your password?");
  await zoe.fill("Name or e-mail", "zoe");
  await zoe.press("Send me a link");
  await zoe.reads("Look into your mail");
  await page.goto(await mailedLink());
  await zoe.reads("Choose your password");
  await zoe.fill("New password", NEW);
  await zoe.press("Save password");
  await zoe.isTold("Your new password is saved");
  await zoe.signIn(ZOE, NEW);
  await zoe.reads("Enter your code");
  await page.getByRole("textbox", { name: "Code" }).fill(code(newKey));
  await zoe.press("Sign in");
  await zoe.isIn();

  // She takes her data along.
  await zoe.toAccount();
  await zoe.follow("Your data");
  const [download] = await Promise.all([page.waitForEvent("download"), zoe.press("Download my data")]);
  const data = readFileSync(await download.path(), "utf8");
  assert.equal(JSON.parse(data).account.name, "Zoe");
  for (const secret of [PASSWORD, NEW, codes[1]]) assert.ok(!data.includes(secret), "no secret is in it");

  // She leaves for a while, and comes back.
  await zoe.follow("Switch my account off");
  await zoe.press("Switch my account off");
  await zoe.isTold("Your account is switched off");
  await zoe.signIn("Zoe", NEW);
  await page.getByRole("alert").getByText("Do you want to come back?").waitFor();
  await zoe.fill("Password", NEW);
  await zoe.press("Come back");
  await zoe.reads("Enter your code");
  await page.getByRole("textbox", { name: "Code" }).fill(code(newKey, 1));
  await zoe.press("Sign in");
  await zoe.isIn();
  await zoe.toAccount();
  await zoe.reads("Your account");
  assert.deepEqual(troubles, []);
  await context.close();

  // The operator looks whether the audit log is whole (docs/audit.md), and into a backup in another folder (docs/backups.md).
  assert.match(await site.operate("audit", "verify"), /events/);
  const log = await site.operate("audit", "tail", "-n", "100");
  for (const event of ["joined", "second-factor-set-up", "recovery-code-used", "session-ended", "password-reset", "data-exported", "deactivated", "came-back"]) {
    assert.match(log, new RegExp(`\\b${event}\\b`));
  }
  const backup = join(folder, "members.jsonl.gz");
  await site.operate("backup", backup);
  const env = { ...process.env, PASSGATE_SERVER__DATA_DIR: join(folder, "look") };
  const look = (...words) => run(program, ["--config", site.file, ...words], { env });
  await look("restore", backup);
  assert.match(await look("user", "list"), /Zoe/);
  assert.match(await look("user", "show", "zoe"), /second factor/i);
});
