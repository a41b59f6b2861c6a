// `passgate serve` with a configuration of the test's own, and an application of a few lines behind it. What lives here:
// starting and ending them, and adding members. No checks.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE, program } from "./demo.mjs";

/** Listens on any port of this machine and resolves with it. */
export const listening = (server) =>
  new Promise((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", () => resolve(server.address().port));
  });

const closed = (server) => new Promise((resolve) => server.close(resolve));

/** A port that was free a moment ago: passkeys need the address in the configuration, before anybody listens. */
export async function freePort() {
  const server = createServer();
  const port = await listening(server);
  await closed(server);
  return port;
}

/** An application that says who it was told is there, on every page. */
async function startApplication() {
  const server = createHttp((request, response) => {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!doctype html><title>A forum</title><h1>${request.headers["remote-user"] ?? "a guest"}</h1>`);
  });
  const port = await listening(server);
  const stop = async () => {
    server.closeAllConnections();
    await closed(server);
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

/** Runs a command to its end; `input` goes to its standard input. */
export function run(command, args, { input = "", ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
    child.once("error", reject);
    // A command that ends before it has read all says why by its exit code.
    child.stdin.on("error", () => {});
    child.once("close", (code) => (code === 0 ? resolve(said) : reject(new Error(`${command} ended with ${code}: ${said}`))));
    child.stdin.end(input);
  });
}

/** Until a program says `word`; fails with what it said if it ends before, or takes too long. */
export function ready(child, word) {
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (why) => reject(new Error(`${why}; it said:\n${said}`));
    const timer = setTimeout(() => fail("it is not ready"), PATIENCE);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => {
        said += text;
        if (said.includes(word)) resolve(clearTimeout(timer));
      });
    }
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`it ended with ${code}`));
  });
}

/**
 * Starts a gateway before an application of its own, or the one at `upstream`. `publicUrl` makes the address browsers use
 * from the port; `more` is the rest of the configuration. Resolves with what `startDemo` does, as far as tests need it.
 */
export async function startGateway({ upstream, publicUrl = (port) => `http://localhost:${port}`, server = "", more = "" } = {}) {
  const application = upstream ? { url: upstream, stop: () => {} } : await startApplication();
  const folder = mkdtempSync(join(tmpdir(), "passgate-browser-"));
  const port = await freePort();
  const url = publicUrl(port);
  const file = join(folder, "gateway.toml");
  const configure = (more) =>
    writeFileSync(
      file,
      `[server]\nlisten = ["127.0.0.1:${port}"]\npublic_url = "${url}"\ndata_dir = "${join(folder, "data")}"\nadmin_listen = ""\n` +
        `drain_timeout = "1s"\n${server}\n[upstream]\nurl = "${application.url}"\n[pages]\nsite_name = "The Sample Forum"\n${more}\n`,
    );
  configure(more);
  const child = spawn(program, ["--config", file, "serve"], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await application.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  await ready(child, "ready").catch(async (error) => {
    await stop();
    throw error;
  });
  let members = 0;
  return {
    url,
    port,
    /** Its configuration. */
    file,
    /** A new member; each test has its own, so that none has to tidy up. */
    addMember: async (...groups) => {
      members += 1;
      const member = { name: `member${members}`, password: `the password of ${members}` };
      const options = groups.flatMap((group) => ["--group", group]);
      await run(program, ["--config", file, "user", "add", member.name, "--password-stdin", ...options], { input: member.password });
      return member;
    },
    /** An operator's command; resolves with what it says. */
    operate: (...words) => run(program, ["--config", file, ...words]),
    /** A one-time link of a member; `options` say what it is for, signing in if they don't. */
    link: async ({ name }, ...options) => (await run(program, ["--config", file, "user", "link", name, ...options])).match(/http\S+/)[0],
    /** Puts another rest of the configuration into force. */
    reconfigure: async (more) => {
      configure(more);
      await run(program, ["--config", file, "reload"]);
    },
    stop,
  };
}
