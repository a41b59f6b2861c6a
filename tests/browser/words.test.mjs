// What a member reads when something goes wrong, one row each: what the browser throws (E-01 … E-11, E-13, E-14) and what
// the gateway answers (E-12, E-20 … E-33). After each there are two ways on.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startBrowser, startDemo } from "./demo.mjs";
import { ADD, LOGIN, addPasskey, armed, button, signInByPassword, trouble, visitWith } from "./member.mjs";

let demo, browser;

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const PROMPT = { "sign-in": "Sign in with a passkey", "step-up": "Confirm with a passkey", add: /^This device/ };

/** Each page with passkeys, ready for its button. */
async function open(purpose) {
  const visit = await visitWith(browser, demo);
  const { page } = visit;
  if (purpose !== "sign-in") await signInByPassword(page, demo.members[0]);
  if (purpose === "step-up") {
    await addPasskey(page, "To confirm with");
    await page.goto(`${LOGIN}?again=1&return_to=%2Findex.php`);
  } else {
    await page.goto(purpose === "add" ? ADD : LOGIN);
  }
  return visit;
}

/** Presses the button and compares what is said; both ways on have to be in sight. */
async function says(page, purpose, words) {
  await button(page, PROMPT[purpose]).click();
  await trouble(page).getByText(words).waitFor();
  assert.equal(await trouble(page).getAttribute("role"), "alert");
  assert.ok(await button(trouble(page), "Try again").isVisible(), `${words}: try again`);
  const other = purpose === "add" ? trouble(page).getByRole("link", { name: "See my passkeys" }) : button(trouble(page), "Use password");
  assert.ok(await other.isVisible(), `${words}: the other way`);
  assert.ok(await button(trouble(page), "Copy details for support").isVisible());
}

const CLOSED = "The passkey prompt was closed, or it took too long. You can try again, or use your password.";
const AGAIN = "Something went wrong with the passkey. Please try again.";
const ADDRESS = "Passkeys aren’t set up correctly for this address. Please use your password, and tell the people who run this site.";

const THROWN = {
  "sign-in": [
    ["E-01", "NotAllowedError", CLOSED],
    ["E-07", "SecurityError", ADDRESS],
    ["E-11", "OperationError", AGAIN],
    ["E-11", "UnknownError", AGAIN],
    ["E-11", "TypeError", AGAIN],
  ],
  "step-up": [
    ["E-13", "NotAllowedError", "We need to know it’s you, and the passkey prompt was closed or took too long. You can try again, or use your password."],
    ["E-07", "SecurityError", ADDRESS],
  ],
  add: [
    ["E-03", "NotAllowedError", "No passkey was added. The prompt was closed, or it took too long."],
    ["E-04", "InvalidStateError", "This device or password manager already has a passkey for your account. You don’t need another one here."],
    ["E-05", "ConstraintError", "This security key can’t keep a passkey that checks it’s you. Set a PIN on it, or use your phone or computer instead."],
    ["E-06", "NotSupportedError", "This device can’t make the kind of passkey we accept. Another device may."],
    ["E-07", "SecurityError", ADDRESS.replace("use your password, and ", "")],
    ["E-11", "UnknownError", AGAIN],
  ],
};

describe("what the browser throws", () => {
  for (const [purpose, table] of Object.entries(THROWN)) {
    test(`${purpose}: ${table.map(([id, name]) => `${id} ${name}`).join(", ")}`, async () => {
      const { context, page } = await open(purpose);
      for (const [, name, words] of table) {
        await page.evaluate((name) => {
          const fail = async () => {
            throw name === "TypeError" ? new TypeError("") : new DOMException("", name);
          };
          Object.assign(navigator.credentials, { get: fail, create: fail });
        }, name);
        const [noted] = await Promise.all([page.waitForResponse(/passkeys\/trouble/), says(page, purpose, words)]);
        const { ref } = await noted.json();
        await trouble(page).getByText(`Reference: ${ref}`).waitFor();
      }
      await context.close();
    });
  }

  test("E-08: a prompt that gave way to another says nothing", async () => {
    const { context, page } = await open("sign-in");
    await page.evaluate(() => {
      navigator.credentials.get = async () => {
        throw new DOMException("", "AbortError");
      };
    });
    await button(page, PROMPT["sign-in"]).click();
    await page.locator("[aria-busy]").waitFor({ state: "detached" });
    assert.equal(await trouble(page).isVisible(), false);
    await context.close();
  });

  test("E-14: without a connection nothing is used up, and trying again works once it is back", async () => {
    const { context, page, present } = await open("step-up");
    await context.setOffline(true);
    await says(page, "step-up", "There is no connection. Your passkey was not used up: try again when you’re back online.");
    assert.equal(await trouble(page).getByText("Reference:").isVisible(), false, "the gateway knows nothing of it");
    await context.setOffline(false);
    await present(true);
    await button(trouble(page), "Try again").click();
    await page.waitForURL((url) => url.pathname === "/index.php");
    await context.close();
  });
});

// Their words are the gateway's, and a test beside them says which; here it is that they reach the member.
const ANSWERED = {
  "sign-in": [
    ["E-12", 401, "user_not_verified"],
    ["E-20", 404, "unknown_credential"],
    ["E-21", 401, "passkey_failed"],
    ["E-25", 403, "origin_mismatch"],
    ["E-26", 403, "passkey_suspect"],
    ["E-27", 403, "passkey_changed"],
    ["E-30", 429, "too_many_attempts"],
    ["E-33", 503, "storage"],
    ["E-35", 403, "account_disabled"],
  ],
  "step-up": [
    ["E-26", 403, "passkey_suspect"],
    ["E-31", 403, "wrong_account"],
    ["E-33", 503, "storage"],
  ],
  add: [
    ["E-22", 409, "passkey_limit"],
    ["E-28", 409, "already_registered"],
    ["E-29", 403, "not_enabled"],
    ["E-33", 503, "storage"],
  ],
};

describe("what the gateway answers", () => {
  for (const [purpose, table] of Object.entries(ANSWERED)) {
    test(`${purpose}: ${table.map(([id, , code]) => `${id} ${code}`).join(", ")}`, async () => {
      const { context, page } = await open(purpose);
      for (const [id, status, code] of table) {
        const message = `The words of ${id} for the member.`;
        await page.route(`**/api/passkeys/${purpose}/begin`, (route) => route.fulfill({ status, json: { code, message, ref: id } }));
        await says(page, purpose, message);
        await trouble(page).getByText(`Reference: ${id}`).waitFor();
        await page.unroute(`**/api/passkeys/${purpose}/begin`);
      }
      await context.close();
    });
  }

  test("E-23: a challenge that ran out is asked for again by itself, once", async () => {
    const { context, page } = await open("sign-in");
    // What the page asks for by itself when it opens is not counted.
    await armed(page);
    let begun = 0;
    const json = { code: "ceremony_expired", message: "This took too long. Please try again.", ref: "0" };
    await page.route("**/api/passkeys/sign-in/begin", (route) => {
      begun += 1;
      return route.fulfill({ status: 410, json });
    });
    await says(page, "sign-in", json.message);
    // Two for the press; the third is autofill's, which waits again.
    await page.waitForLoadState("networkidle");
    assert.equal(begun, 3);
    await context.close();
  });

  test("E-24: who has to confirm first is taken there, and back", async () => {
    const { context, page } = await open("add");
    const json = { code: "reauth_required", message: "Please confirm it’s you first.", ref: "0" };
    await page.route("**/api/passkeys/add/begin", (route) => route.fulfill({ status: 403, json }));
    await button(page, PROMPT.add).click();
    await page.waitForURL((url) => url.pathname === LOGIN && url.searchParams.get("return_to") === ADD);
    assert.ok(await page.getByRole("heading", { name: "Please confirm it’s you" }).isVisible());
    await context.close();
  });

  test("E-30, E-33: an answer that is none of ours gets words all the same", async () => {
    const { context, page } = await open("sign-in");
    for (const [status, words] of [
      [429, "Too many tries. Please wait a moment, or use your password."],
      [502, "Something went wrong on our side. Please try again in a moment."],
    ]) {
      await page.route("**/api/passkeys/sign-in/begin", (route) => route.fulfill({ status, contentType: "text/html", body: "<h1>No</h1>" }));
      await says(page, "sign-in", words);
      await page.unroute("**/api/passkeys/sign-in/begin");
    }
    await context.close();
  });
});
