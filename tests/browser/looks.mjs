// What every page of ours has to look like. No pages and no tests.

import assert from "node:assert/strict";
import axe from "axe-core";
import { picture } from "./demo.mjs";

/** What axe-core finds on the page that is open, in one line each. */
async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const found = await page.evaluate(() => {
    const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    return window.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] });
  });
  return found.violations.map(({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map(({ target }) => target).join(", ")}`);
}

/** Contrast of two colours as `rgb(…)`, after WCAG 2.2, "contrast ratio". */
function contrast(one, other) {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** The text colour and the page's background, which may be set on either of the two outer elements. */
const colours = (page) =>
  page.evaluate(() => {
    const seen = (colour) => !/, 0\)$|^transparent$/.test(colour);
    const [body, html] = [document.body, document.documentElement].map((element) => getComputedStyle(element));
    return { text: body.color, back: [body, html].map((style) => style.backgroundColor).find(seen) ?? "rgb(255, 255, 255)" };
  });

/** Shows a mail as a page and takes its pictures: it has to fit. */
export async function mailLooksWell(page, name, { html }) {
  await page.goto("about:blank");
  await page.setContent(html);
  assert.ok(await page.title(), "a mail has a subject");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(needed <= width, `${name}: ${needed} pixels are needed`);
      await page.screenshot({ path: picture(`${name}-${width}-${colorScheme}`), fullPage: true });
    }
  }
}

/** Checks the page that is open, in light and dark, narrow and wide, and takes its pictures. */
export async function looksWell(page, name) {
  assert.ok(await page.title(), "a page has a title");
  assert.ok(await page.locator("html").getAttribute("lang"), "a page names its language");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const needed = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(needed <= width, `${name}: ${needed} pixels are needed`);
      const { text, back } = await colours(page);
      assert.ok(contrast(text, back) >= 4.5, `${name}: ${text} on ${back}`);
      const isDark = contrast(back, "rgb(0, 0, 0)") < contrast(back, "rgb(255, 255, 255)");
      assert.equal(isDark, colorScheme === "dark", `${name}: the background is ${back}`);
      assert.deepEqual(await violations(page), [], `${name}, ${colorScheme}, ${width} pixels wide`);
      await page.screenshot({ path: picture(`${name}-${width}-${colorScheme}`), fullPage: true });
    }
  }
}
