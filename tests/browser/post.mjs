// A mail server of a few lines, for tests that open what is mailed to members. It takes every mail, and no checks are here.

import { createServer } from "node:net";
import { PATIENCE } from "./demo.mjs";
import { listening } from "./gateway.mjs";

/** The bytes of a body as text. */
function decoded(body, encoding = "7bit") {
  if (encoding === "base64") return Buffer.from(body, "base64").toString();
  if (encoding !== "quoted-printable") return body;
  const bytes = body.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString();
}

/** Header and text of one part. */
function part(source) {
  const [head, ...body] = source.split("\r\n\r\n");
  const field = (name) => head.match(new RegExp(`^${name}: *([^;\\s]+)`, "im"))?.[1].toLowerCase();
  return { type: field("Content-Type") ?? "", text: decoded(body.join("\r\n\r\n"), field("Content-Transfer-Encoding")) };
}

/** A mail of two parts, as text and as HTML. */
function read(to, source) {
  const boundary = source.match(/boundary="([^"]+)"/)[1];
  const parts = source.split(`--${boundary}`).slice(1, -1).map((source) => part(source.trimStart()));
  const of = (type) => parts.find((part) => part.type.startsWith(type))?.text ?? "";
  return { to, text: of("text/plain"), html: of("text/html") };
}

/** Starts it; resolves with the settings for a gateway, and with `mail(to)`, the next mail to that address. */
export async function startPost() {
  const mails = [];
  let news = () => {};
  const server = createServer((socket) => {
    let [said, to, isData] = ["", "", false];
    socket.on("error", () => {});
    socket.write("220 localhost\r\n");
    socket.on("data", (bytes) => {
      said += bytes.toString("latin1");
      for (let end; (end = said.indexOf(isData ? "\r\n.\r\n" : "\r\n")) >= 0; ) {
        const line = said.slice(0, end);
        said = said.slice(end + (isData ? 5 : 2));
        if (isData) {
          mails.push(read(to, line));
          news();
        }
        if (/^RCPT/i.test(line) && !isData) to = line.match(/<(.*)>/)[1];
        const begins = /^DATA/i.test(line) && !isData;
        isData = begins;
        socket.write(begins ? "354 go on\r\n" : "250 localhost\r\n");
      }
    });
  });
  const port = await listening(server);
  const mail = async (to) => {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const at = mails.findIndex((mail) => mail.to === to);
      if (at >= 0) return mails.splice(at, 1)[0];
      if (Date.now() > until) throw new Error(`no mail to ${to}`);
      await new Promise((resolve) => {
        news = resolve;
        setTimeout(resolve, 1_000);
      });
    }
  };
  return {
    address: `127.0.0.1:${port}`,
    settings: `[mail]\nhost = "127.0.0.1"\nport = ${port}\ntls = "none"\nfrom = "forum@example.org"`,
    mail,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

/** The link in a mail. */
export const linkIn = ({ text }) => text.match(/^http\S+/m)[0];
