// An authority of the tests' own, which a browser trusts when its home folder is the one made here (NSS). No checks.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./gateway.mjs";

/** The names that certificates are for, as a browser has to be told of them. */
export const NAMES = "--host-resolver-rules=MAP forum.test 127.0.0.1, MAP elsewhere.test 127.0.0.1";

/** An authority, a certificate of its for both names, and a browser's home folder that trusts it. */
export async function certificates(folder) {
  const at = (name) => join(folder, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=passgate test authority"]);
  const names = ["-subj", "/CN=forum.test", "-addext", "subjectAltName=DNS:forum.test,DNS:elsewhere.test"];
  const more = ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", at("ca.pem"), "-CAkey", at("ca.key")];
  await run("openssl", ["req", "-x509", ...key, "-keyout", at("leaf.key"), "-out", at("leaf.pem"), ...names, ...more]);
  const store = `sql:${at(".pki/nssdb")}`;
  mkdirSync(at(".pki/nssdb"), { recursive: true });
  await run("certutil", ["-N", "-d", store, "--empty-password"]);
  await run("certutil", ["-A", "-d", store, "-n", "passgate test authority", "-t", "C,,", "-i", at("ca.pem")]);
  return { key: readFileSync(at("leaf.key")), cert: readFileSync(at("leaf.pem")) };
}

/** The lines of a gateway that speaks TLS itself at this port, with the certificate in that folder. */
export function ownTls(folder, port) {
  const certificate = `[[tls.certificate]]\nchain = "${join(folder, "leaf.pem")}"\nkey = "${join(folder, "leaf.key")}"`;
  return `[tls]\nlisten = "127.0.0.1:${port}"\n${certificate}`;
}
