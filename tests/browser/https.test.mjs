// The way it is in earnest: a name, https with a certificate the browser trusts by an authority of its own, and passgate
// behind whatever ends TLS, or speaking TLS and HTTP/2 by itself.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { createServer } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NAMES, certificates, ownTls } from "./authority.mjs";
import { signOut, startBrowser, visit } from "./demo.mjs";
import { freePort, listening, startGateway } from "./gateway.mjs";
import { LOGIN, addPasskey, armed, button, signInByPassword, visitWith } from "./member.mjs";

let home, front, port, gateway, direct, browser;

/** Another site, whose page holds ours in a frame and lets it ask for passkeys. */
function elsewhere(socket, port) {
  const frame = (path) => `<iframe src="https://forum.test:${port}${path}" allow="publickey-credentials-get *"></iframe>`;
  const body = `<!doctype html><title>Elsewhere</title>${frame(LOGIN)}${frame("/index.php")}`;
  socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
}

before(async () => {
  home = mkdtempSync(join(tmpdir(), "passgate-home-"));
  front = createServer(await certificates(home), (socket) => {
    socket.on("error", () => {});
    if (socket.servername === "elsewhere.test") return socket.once("data", () => elsewhere(socket, port));
    const behind = connect(gateway.port, "127.0.0.1");
    behind.on("error", () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  port = await listening(front);
  const more = '[access]\ndefault = "guest"';
  gateway = await startGateway({ publicUrl: () => `https://forum.test:${port}`, more });
  const own = await freePort();
  direct = await startGateway({ publicUrl: () => `https://forum.test:${own}`, more: `${ownTls(home, own)}\n${more}` });
  browser = await startBrowser({ flags: [NAMES], env: { ...process.env, HOME: home } });
});

after(async () => {
  await browser?.close();
  await gateway?.stop();
  await direct?.stop();
  front?.close();
  if (home) rmSync(home, { recursive: true, force: true });
});

/** A member signs in with the password, adds a passkey, and signs in with that; resolves with the protocol that was spoken. */
async function comeWithAPasskey(gateway) {
  const { context, page, troubles, present } = await visitWith(browser, gateway);
  const member = await gateway.addMember();
  await signInByPassword(page, member);
  assert.ok(page.url().startsWith(`${gateway.url}/`));
  await addPasskey(page, "Over https");
  await present(false);
  await signOut(page);
  await page.goto(`${LOGIN}?return_to=%2Findex.php`);
  await armed(page);
  await present(true);
  await button(page, "Sign in with a passkey").click();
  await page.waitForURL((url) => url.pathname === "/index.php");
  assert.equal(await page.getByRole("heading").innerText(), member.name);
  const cookies = await context.cookies();
  const session = cookies.find((cookie) => cookie.name === "__Host-passgate");
  assert.deepEqual([session.secure, session.httpOnly, session.path, session.domain], [true, true, "/", "forum.test"]);
  assert.ok(cookies.every((cookie) => cookie.secure && cookie.name.startsWith("__Host-")), cookies.map(({ name }) => name).join());
  assert.deepEqual(troubles, []);
  const protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
  await context.close();
  return protocol;
}

test("over https at a name: add a passkey and sign in with it, and the cookie is this host's and Secure", async () => {
  assert.equal(await comeWithAPasskey(gateway), "http/1.1");
});

test("the same where passgate speaks TLS itself, and then it is over HTTP/2", async () => {
  assert.equal(await comeWithAPasskey(direct), "h2");
});

test("R20, BP-87, BP-89: another site's frame shows no page of ours, and the application's page in it can't ask", async () => {
  const { context, page } = await visit(browser, gateway);
  const failed = [];
  page.on("requestfailed", (request) => failed.push(`${new URL(request.url()).pathname} ${request.failure().errorText}`));
  await page.goto(`https://elsewhere.test:${port}/`);
  const application = page.frames().at(-1);
  assert.deepEqual(failed, [`${LOGIN} net::ERR_BLOCKED_BY_RESPONSE`]);
  assert.equal(await application.getByRole("heading").innerText(), "a guest");
  const asked = await application.evaluate(() => {
    const publicKey = { challenge: new Uint8Array(16), timeout: 300 };
    return navigator.credentials.get({ publicKey }).then(String, (error) => `${error.name}: ${error.message}`);
  });
  assert.match(asked, /^NotAllowedError: .*not enabled/);
  await context.close();
});
