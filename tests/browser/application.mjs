// A real application, started by its script in tests/apps. What lives here: starting and ending it. No checks.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { PATIENCE, here } from "./demo.mjs";
import { freePort, run } from "./gateway.mjs";

/** Starts an application, whose `home` anybody may read. Resolves with its `url` and with `sh`, which runs a script in the folder of its data. */
export async function startApplication(name, home) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), `passgate-${name}-`));
  const data = join(folder, "run");
  const script = here(`tests/apps/${name}.sh`);
  const leash = spawn(here("tests/apps/leash.sh"), [script, String(port), data], { stdio: ["pipe", "ignore", "ignore"] });
  const ended = new Promise((resolve) => leash.once("exit", resolve));
  const stop = async () => {
    leash.stdin.end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const isUp = () => fetch(url + home).then(({ ok }) => ok, () => false);
  // The first start makes it.
  for (const end = Date.now() + 4 * PATIENCE; !(await isUp()); await pause(100)) {
    assert.ok(leash.exitCode === null && Date.now() < end, `${name} starts`);
  }
  return { url, sh: (script) => run("sh", ["-euc", script], { cwd: data }), stop };
}
