// How our pages look: they fit a small phone, follow the dark scheme, keep to the content security policy, and can be
// read, by a screen reader too (axe-core, WCAG 2.2 AA). A picture of each goes to target/screenshots, to be looked at by
// people.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { code, keyOf } from "./app.mjs";
import { attachDevice, signIn, startBrowser, visit } from "./demo.mjs";
import { CHANGE, startForum } from "./forum.mjs";
import { startGateway } from "./gateway.mjs";
import { looksWell, mailLooksWell } from "./looks.mjs";
import { ACCOUNT, ADD, LOGIN, button, signInByPassword, trouble } from "./member.mjs";
import { linkIn, startPost } from "./post.mjs";

let gateway, mailing, open, post, withoutForum, required, passkeysOnly, bridged, forum, generating, browser, alice;

before(async () => {
  const programs = '[app_passwords]\nenabled = true\npaths = ["/feed.xml", "/feed/**", "/api/forum/v1/*.json"]';
  gateway = await startGateway({ more: `[registration]\nmode = "invitation"\n${programs}` });
  withoutForum = await startGateway({ upstream: "http://127.0.0.1:1", more: '[access]\ndefault = "guest"' });
  required = await startGateway({ more: '[passkeys]\nrequired_for = ["admins"]' });
  passkeysOnly = await startGateway({ more: "[password]\nenabled = false" });
  const newcomers = 'first_sign_in = "create"\n[forum.override]\nform = { name = ["<h1>", "</h1>"] }';
  bridged = await startGateway({ more: `[forum]\npreset = "generic-form"\n${newcomers}` });
  forum = await startForum();
  const generated = `[forum]\npreset = "generic-form"\npasswords = "generated"\n[forum.override]\n${CHANGE}`;
  generating = await startGateway({ upstream: forum.url, more: generated });
  post = await startPost();
  mailing = await startGateway({ more: `[second_factor]\nmail = true\n${post.settings}` });
  open = await startGateway({ more: `[registration]\nmode = "open"\napproval = true\n${post.settings}` });
  browser = await startBrowser();
  alice = await gateway.addMember("members");
});

after(async () => {
  await browser?.close();
  for (const site of [gateway, mailing, open, withoutForum, required, passkeysOnly, bridged, generating, forum, post]) await site?.stop();
});

/** The link of a new invitation. */
const invitation = async () => (await gateway.operate("invitation", "make")).match(/http\S+/)[0];

/** Our pages by name: where each is, and what to do there. */
const PAGES = {
  "sign-in": async (page) => page.goto("/index.php"),
  "sign-in-shared": async (page) => {
    await page.goto("/index.php");
    await page.getByLabel("This is a shared computer").check();
  },
  "wrong-password": async (page) => {
    await page.goto("/index.php");
    await signIn(page, alice.name, "not the password");
  },
  "too-many-tries": async (page) => {
    await page.goto("/index.php");
    // Once is enough after the first time.
    for (let tries = 0; tries < 6; tries++) {
      await signIn(page, "nobody-here", "not the password");
      if (await page.getByText("Too many wrong passwords").isVisible()) return;
    }
    throw new Error("six tries, and none was too many");
  },
  "first-sign-in-refused": async (page) => {
    await page.goto(`${bridged.url}/index.php`);
    await signIn(page, "nobody", "not the password");
  },
  "second-step": async (page) => {
    await page.goto("/index.php");
    await page.locator("input[name=username]").fill(alice.name);
    await page.keyboard.press("Enter");
    await button(page, "Use password").waitFor();
  },
  "third-step": async (page) => {
    await PAGES["second-step"](page);
    await button(page, "Use password").click();
  },
  "passkey-trouble": async (page) => {
    await attachDevice(page.context(), page);
    await page.goto("/index.php");
    await button(page, "Sign in with a passkey").click();
    await trouble(page).getByText("Reference").waitFor();
  },
  "passkey-help": async (page) => page.goto("/.passgate/help/passkeys"),
  "not-found": async (page) => page.goto("/.passgate/there-is-no-such-page"),
  "forum-unreachable": async (page) => page.goto(withoutForum.url),
  link: async (page) => page.goto(await gateway.link(alice)),
  "set-password": async (page) => page.goto(await gateway.link(await gateway.addMember(), "--set-up")),
  "set-password-or-passkey": async (page) => page.goto(await gateway.link(await gateway.addMember(), "--reset")),
  "set-password-too-short": async (page) => {
    await PAGES["set-password"](page);
    await page.locator("[name=password]").evaluate((field) => field.removeAttribute("minlength"));
    await page.getByLabel("New password").fill("short");
    await button(page, "Save password").click();
    await page.getByRole("alert").waitFor();
  },
  join: async (page) => page.goto(await invitation()),
  "join-name-taken": async (page) => {
    await page.goto(await invitation());
    await page.getByLabel("Name", { exact: true }).fill(alice.name);
    await page.getByLabel("Password", { exact: true }).fill("tin whistle over marmalade");
    await button(page, "Make my account").click();
    await page.getByRole("alert").waitFor();
  },
  forgot: async (page) => {
    await page.goto(`${mailing.url}/.passgate/login`);
    await page.getByRole("link", { name: "Forgot your password?" }).click();
    await button(page, "Send me a link").waitFor();
  },
  "forgot-sent": async (page) => {
    await PAGES.forgot(page);
    await page.getByLabel("Name or e-mail").fill("nobody-here");
    await button(page, "Send me a link").click();
    await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  },
  "link-expired": async (page) => page.goto("/.passgate/setup?token=0"),
  account: async (page) => {
    await signInByPassword(page, alice);
    await page.goto(ACCOUNT);
  },
  "account-security": async (page) => {
    for (const password of [alice.password, "not the password", alice.password]) {
      await page.context().clearCookies();
      await page.goto(`${LOGIN}?return_to=%2Findex.php`);
      await signIn(page, alice.name, password);
    }
    await page.goto(`${ACCOUNT}/security`);
    await page.getByText("What happened to your account").waitFor();
  },
  "app-password-make": async (page) => {
    await signInByPassword(page, alice);
    await page.goto(`${ACCOUNT}/app-passwords`);
    await page.getByLabel("Which program is it for?").waitFor();
  },
  "app-password-make-again": async (page) => {
    await PAGES["app-password-make"](page);
    await page.getByLabel("Which program is it for?").fill("Reader");
    for (const box of await page.getByRole("checkbox").all()) await box.uncheck();
    await button(page, "Make it").click();
    await page.getByText("Please choose what it is for").waitFor();
  },
  "app-password": async (page) => {
    const member = await gateway.addMember();
    await signInByPassword(page, member);
    await page.goto(`${ACCOUNT}/app-passwords`);
    await page.getByLabel("Which program is it for?").fill("Feed reader on my phone");
    await page.getByRole("checkbox").last().uncheck();
    await button(page, "Make it").click();
    assert.match(await page.getByLabel("App password").innerText(), /^pga(-[0-9a-z]{4}){8}$/);
  },
  "account-app-passwords": async (page) => {
    await PAGES["app-password"](page);
    await page.goto(`${ACCOUNT}/app-passwords`);
    await page.getByLabel("Which program is it for?").fill("x".repeat(64));
    await button(page, "Make it").click();
    await page.getByRole("link", { name: "My program has it" }).click();
    await page.locator("#app-passwords bdi").first().waitFor();
  },
  "app-password-remove": async (page) => {
    await PAGES["app-password"](page);
    await page.getByRole("link", { name: "My program has it" }).click();
    await page.getByRole("link", { name: "Remove Feed reader on my phone" }).click();
    await button(page, "Remove it").waitFor();
  },
  "account-data": async (page) => {
    await signInByPassword(page, alice);
    await page.goto(`${ACCOUNT}/data`);
    const [file] = await Promise.all([page.waitForEvent("download"), button(page, "Download my data").click()]);
    assert.equal(file.suggestedFilename(), "my-account.json");
  },
  "account-leave": async (page) => {
    await signInByPassword(page, alice);
    await page.goto(`${ACCOUNT}/leave?for=good`);
    await button(page, "Ask for my account to be deleted").waitFor();
  },
  "account-come-back": async (page) => {
    const member = await gateway.addMember("members");
    await signInByPassword(page, member);
    await page.goto(`${ACCOUNT}/leave`);
    await button(page, "Switch my account off").click();
    await page.getByText("Your account is switched off").waitFor();
    await signIn(page, member.name, member.password);
    await page.getByText("Do you want to come back?").waitFor();
  },
  "account-not-me": async (page) => {
    await PAGES["account-security"](page);
    await page.getByRole("link", { name: /^This wasn’t me/ }).first().click();
    await button(page, "This wasn’t me: sign out everywhere else").waitFor();
  },
  "account-not-me-done": async (page) => {
    await PAGES["account-not-me"](page);
    await button(page, "This wasn’t me: sign out everywhere else").click();
    await page.getByRole("status").waitFor();
  },
  "change-password": async (page) => {
    await signInByPassword(page, alice);
    await page.goto(`${ACCOUNT}/password`);
    await page.getByLabel("Current password").waitFor();
  },
  "change-password-weak": async (page) => {
    await PAGES["change-password"](page);
    await page.getByLabel("Current password").fill(alice.password);
    await page.getByLabel("New password").fill("passwordpassword");
    await button(page, "Save password").click();
    await page.getByRole("alert").waitFor();
  },
  "step-up-with-offer": async (page) => {
    await signInByPassword(page, alice);
    await page.goto(`${LOGIN}?again=1`);
    await page.getByText("Then set up a passkey").waitFor();
  },
  "sign-out": async (page) => {
    await signInByPassword(page, alice);
    await page.goto("/.passgate/logout");
  },
  "signed-out": async (page) => {
    await PAGES["sign-out"](page);
    await button(page, "Sign out").last().click();
    await page.getByRole("status").waitFor();
  },
};

/** For a new member who changes their e-mail address, one page after the other. */
const EMAIL = {
  "account-without-email": async (page, member) => {
    await signInByPassword(page, member);
    await page.goto(ACCOUNT);
    await page.getByRole("link", { name: "Add an address" }).waitFor();
  },
  email: async (page) => page.getByRole("link", { name: "Add an address" }).click(),
  "email-trouble": async (page) => {
    await page.getByLabel("Your address").evaluate((field) => (field.type = "text"));
    await page.getByLabel("Your address").fill("member of mine");
    await button(page, "Send me a link").click();
    await page.getByRole("alert").waitFor();
  },
  "account-with-waiting-email": async (page, { email }) => {
    await page.getByLabel("Your address").fill(email);
    await button(page, "Send me a link").click();
    await button(page, "Cancel").waitFor();
  },
  "email-confirm": async (page, member) => {
    member.mail = await post.mail(member.email);
    await mailLooksWell(page, "mail-address", member.mail);
    await page.goto(linkIn(member.mail));
    await button(page, "Yes, that is mine").waitFor();
  },
  "account-with-email": async (page) => {
    await button(page, "Yes, that is mine").click();
    await page.getByText("Your e-mail address is confirmed").waitFor();
  },
  "email-confirm-expired": async (page, { mail }) => page.goto(linkIn(mail)),
};

/** Joining where anybody may, and an operator looks at who comes, one page after the other. */
const JOINING = {
  "sign-in-with-join": async (page) => page.goto(LOGIN),
  "join-ask": async (page) => page.getByRole("link", { name: "Join The Sample Forum" }).click(),
  "join-ask-trouble": async (page) => {
    await page.getByLabel("Your e-mail address").evaluate((field) => (field.type = "text"));
    await page.getByLabel("Your e-mail address").fill("somewhere");
    await button(page, "Send me a link").click();
    await page.getByRole("alert").waitFor();
  },
  "join-asked": async (page) => {
    await page.getByLabel("Your e-mail address").fill("zoe@forum.example");
    await button(page, "Send me a link").click();
    await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  },
  "join-by-mail": async (page) => {
    const mail = await post.mail("zoe@forum.example");
    await mailLooksWell(page, "mail-join", mail);
    await page.goto(linkIn(mail));
  },
  "joined-to-wait": async (page) => {
    await page.getByLabel("Name", { exact: true }).fill("zoe");
    await page.getByLabel("Password", { exact: true }).fill("tin whistle over marmalade");
    await button(page, "Make my account").click();
    await page.getByRole("status").waitFor();
  },
  "sign-in-before-approval": async (page) => {
    await signIn(page, "zoe", "tin whistle over marmalade");
    await page.getByRole("alert").waitFor();
  },
  "sign-in-after-approval": async (page) => {
    await open.operate("user", "approve", "zoe");
    await mailLooksWell(page, "mail-approved", await post.mail("zoe@forum.example"));
    await page.goto("/.passgate/join");
    await page.getByLabel("Your e-mail address").fill("zoe@forum.example");
    await button(page, "Send me a link").click();
    await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
    await mailLooksWell(page, "mail-join-already", await post.mail("zoe@forum.example"));
    await page.goto(LOGIN);
  },
};

/** For a new member with a confirmed address who has codes mailed, one page after the other. */
const MAILED_CODES = {
  "account-before-mailed-codes": async (page, member) => {
    await signInByPassword(page, member);
    await page.goto(`${ACCOUNT}/email`);
    await page.getByLabel("Your address").fill(member.email);
    await button(page, "Send me a link").click();
    await page.goto(linkIn(await post.mail(member.email)));
    await button(page, "Yes, that is mine").click();
    await page.getByRole("link", { name: "No app? Have codes mailed" }).waitFor();
  },
  "two-step-mail": async (page) => page.getByRole("link", { name: "No app? Have codes mailed" }).click(),
  "two-step-mail-codes": async (page, member) => {
    await button(page, "Turn on").click();
    await page.getByText("Your recovery codes").waitFor();
    await mailLooksWell(await page.context().newPage(), "mail-two-step-on", await post.mail(member.email));
  },
  "account-with-mailed-codes": async (page) => page.goto(ACCOUNT),
  "mailed-code": async (page, { name, password }) => {
    await page.context().clearCookies();
    await page.goto("/index.php");
    await signIn(page, name, password);
    await button(page, "Send another code").waitFor();
  },
  "mailed-code-wrong": async (page, member) => {
    await mailLooksWell(await page.context().newPage(), "mail-code", await post.mail(member.email));
    await page.getByRole("textbox", { name: "Code" }).fill("0000 0000");
    await button(page, "Sign in").click();
    await page.getByRole("alert").waitFor();
  },
  "mailed-code-again": async (page) => {
    await button(page, "Send another code").click();
    await page.getByRole("status").waitFor();
  },
  "mailed-code-after-reset": async (page, member) => {
    const mail = await post.mail(member.email);
    await page.getByRole("textbox", { name: "Code" }).fill(mail.text.match(/^\d{4} \d{4}/m)[0]);
    await button(page, "Sign in").click();
    await page.context().clearCookies();
    await page.goto("/.passgate/forgot");
    await page.getByLabel("Name or e-mail").fill(member.name);
    await button(page, "Send me a link").click();
    await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
    let reset = await post.mail(member.email);
    while (!/^http\S+/m.test(reset.text)) reset = await post.mail(member.email);
    await page.goto(linkIn(reset));
    await page.getByLabel("New password").fill("tin whistle over marmalade");
    await button(page, "Save password").click();
    await page.goto("/index.php");
    await signIn(page, member.name, "tin whistle over marmalade");
    await page.getByText("would show nothing more").waitFor();
  },
  "link-with-mailed-code": async (page, member) => page.goto(await mailing.link(member)),
};

/** On a site that requires a passkey, for a member who has none yet, one page after the other. */
const REQUIRED = {
  "passkey-add-required": async (page, { name, password }) => {
    await page.goto("/index.php");
    await signIn(page, name, password);
    await page.locator("[data-places]").waitFor();
  },
  "account-waiting": async (page) => page.goto(ACCOUNT),
};

/** On a site without passwords. */
const PASSKEYS_ONLY = {
  "sign-in-by-passkey-alone": async (page) => page.goto("/index.php"),
  "link-to-a-passkey": async (page, member) => page.goto(await passkeysOnly.link(member, "--reset")),
};

/** For a new member who sets two-step sign-in up, one page after the other. */
const TWO_STEP = {
  "two-step": async (page, member) => {
    await signInByPassword(page, member);
    await page.goto("/.passgate/account/two-step");
    member.key = await keyOf(page);
  },
  "two-step-wrong-code": async (page) => {
    await page.getByRole("textbox", { name: "Code" }).fill("000000");
    await button(page, "Turn on").click();
    await page.getByRole("alert").waitFor();
  },
  "two-step-codes": async (page, { key }) => {
    await page.getByRole("textbox", { name: "Code" }).fill(code(key, -1));
    await button(page, "Turn on").click();
    await page.getByText("Your recovery codes").waitFor();
  },
  "two-step-code": async (page, { name, password }) => {
    await page.context().clearCookies();
    await page.goto("/index.php");
    await signIn(page, name, password);
    await page.getByRole("textbox", { name: "Code" }).waitFor();
  },
  "two-step-code-wrong": async (page) => {
    await page.getByRole("textbox", { name: "Code" }).fill("000000");
    await button(page, "Sign in").click();
    await page.getByRole("alert").waitFor();
  },
  "two-step-recovery": async (page) => page.getByRole("link", { name: "Use a recovery code" }).click(),
  "account-with-two-step": async (page, { key }) => {
    await page.getByRole("link", { name: "Use a code of your app" }).click();
    await page.getByRole("textbox", { name: "Code" }).fill(code(key));
    await page.getByLabel("Don’t ask again").check();
    await button(page, "Sign in").click();
    await page.goto(ACCOUNT);
    await page.getByText("Browsers you trust").waitFor();
  },
  "two-step-new-codes": async (page) => page.goto("/.passgate/account/two-step/codes"),
  "two-step-off": async (page) => page.goto("/.passgate/account/two-step/off"),
  "link-with-code": async (page, member) => page.goto(await gateway.link(member)),
};

/** On a site that requires a second factor, for a member who has none yet, one page after the other. */
const TWO_STEP_NEEDED = {
  "two-step-needed": async (page, { name, password }) => {
    await page.goto("/index.php");
    await signIn(page, name, password);
    await page.getByText("One more step").waitFor();
  },
  "account-waiting-for-two-step": async (page) => page.goto(ACCOUNT),
  "password-beside-a-code": async (page, member) => {
    await page.goto(`${ACCOUNT}/two-step`);
    member.key = await keyOf(page);
    await page.getByRole("textbox", { name: "Code" }).fill(code(member.key, -1));
    await button(page, "Turn on").click();
    await page.getByText("Your recovery codes").waitFor();
    await page.goto(`${ACCOUNT}/password`);
    await page.getByText("At least 8 characters").waitFor();
  },
  "password-longer": async (page, { name, password, key }, site) => {
    await page.getByLabel("Current password").fill(password);
    await page.getByLabel("New password").fill("k7#Vw9!zQ");
    await button(page, "Save password").click();
    await page.getByText("From now on you sign in with your new password").waitFor();
    await site.reconfigure("");
    await page.context().clearCookies();
    await page.goto("/index.php");
    await signIn(page, name, "k7#Vw9!zQ");
    await page.getByRole("textbox", { name: "Code" }).fill(code(key));
    await button(page, "Sign in").click();
    await page.getByText("So it should be longer").waitFor();
  },
};

/** Before a forum whose password is not known yet, one page after the other. */
const BRIDGED = {
  "forum-link": async (page, { name, password }) => {
    await page.goto(ACCOUNT);
    await signIn(page, name, password);
    await page.goto(`${ACCOUNT}/forum`);
    await button(page, "Connect").waitFor();
  },
  "forum-link-empty": async (page) => {
    await button(page, "Connect").click();
    await page.getByRole("alert").waitFor();
  },
  "account-with-forum": async (page) => page.goto(ACCOUNT),
};

/** Before a forum whose password nobody knows, one page after the other. */
const GENERATED = {
  "account-with-generated-password": async (page, { name, password }) => {
    await page.goto(ACCOUNT);
    await signIn(page, name, password);
    await page.goto(ACCOUNT);
    await page.getByText("nobody knows").waitFor();
  },
  "forum-link-again": async (page) => page.goto(`${ACCOUNT}/forum`),
  "forum-password": async (page) => {
    await page.goto(ACCOUNT);
    await page.getByRole("link", { name: "Set a forum password of your own" }).click();
  },
  "forum-password-unusable": async (page) => {
    await page.getByLabel("New password for the forum").fill(" a password with a blank before it");
    await button(page, "Set this password").click();
    await page.getByRole("alert").waitFor();
  },
  "account-with-chosen-password": async (page) => {
    await page.getByLabel("New password for the forum").fill("a password of my own");
    await button(page, "Set this password").click();
    await page.getByText("The forum has your new password").waitFor();
  },
};

/** The same for a new member with a passkey, one page after the other. */
const WITH_PASSKEY = {
  welcome: async (page, { name, password }) => {
    await page.goto("/index.php");
    await signIn(page, name, password);
  },
  "passkey-add-first": async (page) => {
    await page.goto(ADD);
    await page.locator("[data-places]").waitFor();
  },
  "passkey-added": async (page) => {
    await button(page, /^This device/).click();
    await page.waitForURL(/rename/);
  },
  "passkey-bad-name": async (page) => {
    await page.getByLabel("Name").fill("n".repeat(65));
    await button(page, "Save name").click();
    await page.getByRole("alert").waitFor();
  },
  "account-with-passkey": async (page) => page.goto(ACCOUNT),
  "passkey-there-already": async (page) => {
    await page.goto(ADD);
    await button(page, /^This device/).click();
    await trouble(page).getByText("Reference").waitFor();
  },
  "step-up": async (page) => page.goto(`${LOGIN}?again=1`),
  "step-up-trouble": async (page) => {
    await page.evaluate(() => {
      navigator.credentials.get = async () => {
        throw new DOMException("", "NotAllowedError");
      };
    });
    await button(page, "Confirm with a passkey").click();
    await trouble(page).getByText("Reference").waitFor();
  },
  "passkey-confirm": async (page) => page.goto(`${LOGIN}?again=passkey`),
  "passkey-remove": async (page) => {
    await page.goto(ACCOUNT);
    await page.locator("#passkeys li").last().getByRole("link", { name: /^Remove/ }).click();
  },
};

for (const [name, open] of Object.entries(PAGES)) {
  test(name, async () => {
    const { context, page, troubles } = await visit(browser, gateway);
    await open(page);
    await looksWell(page, name);
    assert.deepEqual(troubles, []);
    await context.close();
  });
}

test("the pages of a member with a passkey", async () => {
  const { context, page, troubles } = await visit(browser, gateway);
  await attachDevice(context, page);
  const member = await gateway.addMember("members", "readers");
  for (const [name, open] of Object.entries(WITH_PASSKEY)) {
    await open(page, member);
    await looksWell(page, name);
  }
  assert.deepEqual(troubles, []);
  await context.close();
});

test("an e-mail address, and the mail to it", async () => {
  const { context, page, troubles } = await visit(browser, mailing);
  const member = { ...(await mailing.addMember("members")), email: "member@forum.example" };
  for (const [name, open] of Object.entries(EMAIL)) {
    await open(page, member);
    await looksWell(page, name);
  }
  assert.deepEqual(troubles, []);
  await context.close();
});

test("codes by mail", async () => {
  const { context, page, troubles } = await visit(browser, mailing);
  const member = { ...(await mailing.addMember("members")), email: "coded@forum.example" };
  for (const [name, step] of Object.entries(MAILED_CODES)) {
    await step(page, member);
    await looksWell(page, name);
  }
  assert.deepEqual(troubles, []);
  await context.close();
});

test("joining by mail", async () => {
  const { context, page, troubles } = await visit(browser, open);
  for (const [name, step] of Object.entries(JOINING)) {
    await step(page);
    await looksWell(page, name);
  }
  assert.deepEqual(troubles, []);
  await context.close();
});

test("two-step sign-in", async (t) => {
  const needed = await startGateway({ more: '[second_factor]\nrequired_groups = ["admins"]' });
  t.after(() => needed.stop());
  for (const [site, pages] of [
    [gateway, TWO_STEP],
    [needed, TWO_STEP_NEEDED],
  ]) {
    const { context, page, troubles } = await visit(browser, site);
    const member = await site.addMember("admins");
    for (const [name, open] of Object.entries(pages)) {
      await open(page, member, site);
      await looksWell(page, name);
    }
    assert.deepEqual(troubles, []);
    await context.close();
  }
});

test("a passkey required, no passwords, and a forum to be signed in at", async () => {
  for (const [site, pages] of [
    [required, REQUIRED],
    [bridged, BRIDGED],
    [generating, GENERATED],
    [passkeysOnly, PASSKEYS_ONLY],
  ]) {
    const { context, page, troubles } = await visit(browser, site);
    await attachDevice(context, page);
    const member = await site.addMember(site === generating ? "members" : "admins");
    for (const [name, open] of Object.entries(pages)) {
      await open(page, member);
      await looksWell(page, name);
    }
    assert.deepEqual(troubles, []);
    await context.close();
  }
});

test("every field has a label, and what can be pressed is large enough for a thumb", async () => {
  const { context, page } = await visit(browser, gateway, { viewport: { width: 320, height: 800 } });
  await page.goto("/index.php");
  const fields = page.locator("input:not([type=hidden])");
  for (let at = 0; at < (await fields.count()); at += 1) {
    const field = fields.nth(at);
    const labels = await field.evaluate((element) => [...element.labels].map((label) => label.innerText.trim()).join(""));
    assert.ok(labels || (await field.getAttribute("aria-label")), await field.getAttribute("name"));
  }
  const button = page.locator("form:has(input[name=password]) button").first();
  const box = await button.boundingBox();
  assert.ok(box.height >= 44, `the button is ${box.height} pixels high`);
  await context.close();
});

test("our pages send a strict content security policy and forbid frames", async () => {
  const { context, page } = await visit(browser, gateway);
  const answer = await page.goto("/.passgate/login");
  const policy = (await answer.headersArray()).find((header) => header.name.toLowerCase() === "content-security-policy").value;
  assert.match(policy, /default-src 'none'|default-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|\*/);
  await context.close();
});
