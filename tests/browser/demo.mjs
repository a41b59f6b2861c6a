// `passgate demo` and a Chromium before it, for the tests beside this file. What lives here: starting and ending the two,
// and the few steps every test takes. No checks.

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = new URL("../../", import.meta.url);
/** A file of this project. */
export const here = (name) => fileURLToPath(new URL(name, root));

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a page or the demo may take, in milliseconds; far more than they need, for slow machines. */
export const PATIENCE = 30_000;

/** The program under test; `make test` has built it. */
export const program = process.env.PASSGATE ?? here("target/debug/passgate");

/** Starts the demo and resolves with what it prints when it is ready, and with `stop`. */
export async function startDemo(...options) {
  const child = spawn(program, ["demo", "--listen", "127.0.0.1:0", "--json", ...options], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const line = await firstLine(child, ended, () => said);
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  return { ...JSON.parse(line), stop, log: () => said };
}

function firstLine(child, ended, said) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the demo is not ready; it said:\n${said()}`)), PATIENCE);
    const fail = (why) => {
      clearTimeout(timer);
      reject(new Error(`the demo did not start (${why}); it said:\n${said()}`));
    };
    child.once("error", (error) => fail(error.message));
    ended.then((code) => fail(`exit code ${code}`));
    createInterface({ input: child.stdout }).once("line", (line) => {
      clearTimeout(timer);
      resolve(line);
    });
  });
}

/** Starts the browser. */
export function startBrowser({ flags = [], env = process.env } = {}) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags], env });
}

/**
 * Opens a browser profile of its own, with one page, and collects what goes wrong on it: violations of the content
 * security policy, errors of scripts, and failed requests to our own assets.
 */
export async function visit(browser, demo, options = {}) {
  const context = await browser.newContext({ baseURL: demo.url, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  // An answer that a test was changing while the page is left is nobody's trouble; unhandled, it fails the whole file.
  const close = context.close.bind(context);
  context.close = async () => {
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await close();
  };
  const troubles = [];
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  page.on("console", (message) => {
    // Chromium reports a status of 4xx as an error of the console; those pages are meant.
    const status = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !status) troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("response", (response) => {
    if (response.url().includes("/.passgate/assets/") && response.status() >= 400) {
      troubles.push(`${response.status()} for ${response.url()}`);
    }
  });
  return { context, page, troubles };
}

/** A virtual device that can make passkeys and unlocks itself. */
const DEVICE = {
  protocol: "ctap2",
  ctap2Version: "ctap2_1",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
  defaultBackupEligibility: true,
  defaultBackupState: true,
};

/** Gives a page's browser a device, and resolves with the means to change it; `traits` differ from the ordinary one's. */
export async function attachDevice(context, page, traits = {}) {
  const session = await context.newCDPSession(page);
  await session.send("WebAuthn.enable", { enableUI: false });
  const attach = async (more) =>
    (await session.send("WebAuthn.addVirtualAuthenticator", { options: { ...DEVICE, ...more } })).authenticatorId;
  let authenticatorId = await attach(traits);
  const set = (what, how) => session.send(`WebAuthn.${what}`, { authenticatorId, ...how });
  return {
    present: (enabled) => set("setAutomaticPresenceSimulation", { enabled }),
    verified: (isUserVerified) => set("setUserVerified", { isUserVerified }),
    broken: (how) => set("setResponseOverrideBits", how),
    change: (credential, how) => set("setCredentialProperties", { credentialId: credential.credentialId, ...how }),
    bring: (credential) => set("addCredential", { credential }),
    credentials: async () => (await set("getCredentials", {})).credentials,
    exchange: async (other) => {
      await set("removeVirtualAuthenticator", {});
      authenticatorId = await attach(other);
    },
  };
}

/** Fills in the sign-in form that is open, and sends it. */
export async function signIn(page, name, password) {
  await page.locator("input[name=username]").fill(name);
  await page.locator("input[name=password]").fill(password);
  await submit(page, "form:has(input[name=password])");
}

/** Sends a form by its button and waits for the page that comes of it. */
export async function submit(page, form) {
  const button = page.locator(`${form} button[type=submit], ${form} button:not([type]), ${form} input[type=submit]`);
  // Not the event "load": that of the page before may still come.
  await Promise.all([page.waitForNavigation(), button.first().click()]);
}

/** Signs out at the gateway: the sign-out form is on every page of ours. */
export async function signOut(page) {
  await page.goto("/.passgate/account");
  await submit(page, 'form[action$="/logout"]');
}

/** Whether the page that is open is the sign-in page. */
export const atSignIn = (page) => new URL(page.url()).pathname === "/.passgate/login";

/** Where a picture of a page goes. */
export function picture(name) {
  mkdirSync(here("target/screenshots"), { recursive: true });
  return here(`target/screenshots/${name}.png`);
}
