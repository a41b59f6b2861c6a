// A forum of a few lines, as the preset `generic-form` describes one, with a form for another password. Whoever signs in first has
// the password they come with.

import { createServer } from "node:http";
import { listening } from "./gateway.mjs";

/** What the preset does not say of it. */
export const CHANGE = 'change = { page = "/account/password", new_field = "new_password", success = [{ status = 302 }] }';

const form = (...fields) => `<form method="post">${fields.map((name) => `<input name="${name}">`).join("")}</form>`;

/** Resolves with its address and what ends it. */
export async function startForum() {
  const passwords = new Map();
  const answer = (method, path, name, fields) => {
    if (path === "/login" && method === "POST") {
      const [typed, password] = [fields.get("username"), fields.get("password")];
      if (!passwords.has(typed)) passwords.set(typed, password);
      if (passwords.get(typed) === password) return { cookie: `session=${typed}; Path=/; HttpOnly`, page: "Welcome" };
    }
    if (path === "/login") return { page: form("username", "password") };
    if (path === "/account/password" && name && method === "POST") {
      passwords.set(name, fields.get("new_password"));
      return { location: "/" };
    }
    if (path === "/account/password" && name) return { page: form("new_password") };
    return { page: `<h1>A forum</h1>${name ? '<a href="/logout">logout</a>' : "a guest"}` };
  };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const name = request.headers.cookie?.match(/session=(\w+)/)?.[1];
    const { cookie, location, page = "" } = answer(request.method, request.url, name, new URLSearchParams(body));
    if (cookie) response.setHeader("Set-Cookie", cookie);
    if (location) response.setHeader("Location", location);
    response.writeHead(location ? 302 : 200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
  });
  const port = await listening(server);
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}
