// The whole life of an account at the demonstration, by nothing but what the pages, the mails and the documentation say (docs/try.md):
// from the invitation to a lost phone and back, away and back again; and what the operator does meanwhile.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { code, keyOf } from "./app.mjs";
import { program, startBrowser, startDemo, visit } from "./demo.mjs";
import { run } from "./gateway.mjs";
import { linkIn, startPost } from "./post.mjs";

const MIA = "mia@forum.example";
const PASSWORD = "tin whistle over marmalade";
const NEW = "seven lamps along the quay";
let demo, post, browser, folder;

before(async () => {
  post = await startPost();
  demo = await startDemo("--mail", post.address);
  browser = await startBrowser();
  folder = mkdtempSync(join(tmpdir(), "passgate-story-"));
});

after(async () => {
  await browser?.close();
  for (const started of [demo, post]) await started?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** An operator's command; resolves with what it says. */
const operate = (...words) => run(program, ["--config", demo.config, ...words]);

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

/** The next mail to mia with a link in it; notices have none. */
async function mailedLink() {
  for (;;) {
    const mail = await post.mail(MIA);
    if (/^http\S+/m.test(mail.text)) return linkIn(mail);
  }
}

test("an account from the invitation to the end, and what the operator does", async () => {
  const { context, page, troubles } = await visit(browser, demo);
  const mia = person(page);

  // The operator invites her (docs/members.md), and she makes her account.
  const invited = await operate("invitation", "make", "--group", "members", "--email", MIA);
  await page.goto(invited.match(/http\S+/)[0]);
  await mia.reads("Welcome to The Sample Forum");
  await mia.fill("Name", "Mia");
  await mia.fill("Password", PASSWORD);
  await mia.isTold("a very good password");
  await mia.press("Make my account");
  await mia.isTold("Your account is there");
  await mia.signIn("Mia", PASSWORD);
  await mia.isIn();
  await mia.toAccount();
  await mia.reads("Your account");

  // Her address is confirmed, so that she gets back in by mail.
  await mia.follow("Confirm or change it");
  await mia.fill("Your address", MIA);
  await mia.press("Send me a link");
  await page.goto(await mailedLink());
  await mia.press("Yes, that is mine");
  await mia.isTold("Your e-mail address is confirmed");

  // A second factor, and the codes she prints.
  await mia.follow("Set up two-step sign-in");
  const key = await keyOf(page);
  await page.getByRole("textbox", { name: "Code" }).fill(code(key, -1));
  await mia.press("Turn on");
  await mia.reads("Your recovery codes");
  const codes = (await page.getByLabel("Recovery codes").innerText()).trim().split("\n");
  await page.evaluate(() => (window.print = () => (document.body.dataset.printed = "yes")));
  await mia.press("Print");
  await page.locator("body[data-printed=yes]").waitFor();
  await mia.follow("I have them, go on");

  // She signs in on her phone, too, and sees both; then she ends the phone's session from here: it is lost.
  const phone = await visit(browser, demo, { viewport: { width: 390, height: 800 } });
  const onPhone = person(phone.page);
  await phone.page.goto("/index.php");
  await onPhone.signIn("mia", PASSWORD);
  await onPhone.reads("Enter your code");
  await phone.page.getByRole("textbox", { name: "Code" }).fill(code(key));
  await onPhone.press("Sign in");
  await onPhone.isIn();
  await phone.page.goto("/whoami.php");
  await phone.page.getByText("Mia").first().waitFor();
  await mia.toAccount();
  await mia.follow("See where you’re signed in, and what happened");
  await mia.reads("Where you’re signed in");
  const others = page.getByRole("listitem").filter({ has: page.getByRole("button", { name: /^Sign out of/ }) });
  assert.equal(await others.count(), 1, "this browser and the phone");
  await others.getByRole("button").click();
  await mia.isTold("That browser is signed out");
  await phone.page.goto("/whoami.php");
  await onPhone.reads("Sign in");
  await phone.context.close();

  // The app went with the phone. A recovery code lets her in, and she moves to a new app.
  await mia.signOut();
  await mia.isTold("You’re signed out");
  await mia.signIn("Mia", PASSWORD);
  await mia.reads("Enter your code");
  await mia.follow("Use a recovery code");
  await page.getByRole("textbox", { name: "Recovery code" }).fill(codes[0]);
  await mia.press("Sign in");
  await mia.isIn();
  await mia.toAccount();
  await page.getByText("9 recovery codes left").waitFor();
  await mia.follow("Turn off");
  await mia.press("Turn off");
  await mia.isTold("Two-step sign-in is off");
  await mia.follow("Set up two-step sign-in");
  const newKey = await keyOf(page);
  assert.notDeepEqual(newKey, key);
  await page.getByRole("textbox", { name: "Code" }).fill(code(newKey, -1));
  await mia.press("Turn on");
  await mia.follow("I have them, go on");

  // She forgets her password, and gets a new one by mail; the code is asked all the same.
  await mia.signOut();
  await mia.follow("Forgot your password?");
  await mia.fill("Name or e-mail", "mia");
  await mia.press("Send me a link");
  await mia.reads("Look into your mail");
  await page.goto(await mailedLink());
  await mia.reads("Choose your password");
  await mia.fill("New password", NEW);
  await mia.press("Save password");
  await mia.isTold("Your new password is saved");
  await mia.signIn(MIA, NEW);
  await mia.reads("Enter your code");
  await page.getByRole("textbox", { name: "Code" }).fill(code(newKey));
  await mia.press("Sign in");
  await mia.isIn();

  // She takes her data along.
  await mia.toAccount();
  await mia.follow("Your data");
  const [download] = await Promise.all([page.waitForEvent("download"), mia.press("Download my data")]);
  const data = readFileSync(await download.path(), "utf8");
  assert.equal(JSON.parse(data).account.name, "Mia");
  for (const secret of [PASSWORD, NEW, codes[1]]) assert.ok(!data.includes(secret), "no secret is in it");

  // She leaves for a while, and comes back.
  await mia.follow("Switch my account off");
  await mia.press("Switch my account off");
  await mia.isTold("Your account is switched off");
  await mia.signIn("Mia", NEW);
  await page.getByRole("alert").getByText("Do you want to come back?").waitFor();
  await mia.fill("Password", NEW);
  await mia.press("Come back");
  await mia.reads("Enter your code");
  await page.getByRole("textbox", { name: "Code" }).fill(code(newKey, 1));
  await mia.press("Sign in");
  await mia.isIn();
  await mia.toAccount();
  await mia.reads("Your account");
  assert.deepEqual(troubles, []);
  await context.close();

  // The operator looks whether the audit log is whole (docs/audit.md), and into a backup in another folder (docs/backups.md).
  assert.match(await operate("audit", "verify"), /events/);
  const log = await operate("audit", "tail", "-n", "100");
  for (const event of ["joined", "second-factor-set-up", "recovery-code-used", "session-ended", "password-reset", "data-exported", "deactivated", "came-back"]) {
    assert.match(log, new RegExp(`\\b${event}\\b`));
  }
  const backup = join(folder, "members.jsonl.gz");
  await operate("backup", backup);
  const env = { ...process.env, PASSGATE_SERVER__DATA_DIR: join(folder, "look") };
  const look = (...words) => run(program, ["--config", demo.config, ...words], { env });
  await look("restore", backup);
  assert.match(await look("user", "list"), /Mia/);
  assert.match(await look("user", "show", "mia"), /second factor/i);
});
