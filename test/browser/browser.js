// A browser for the tests of the page: orders come as JSON, one a line, and each is answered by one line.
//   {"do": "open", "url": …, "scheme": "light"|"dark", "width": 1280, "height": 900, "token": …}   -> {"status": 200, "title": …}
//   {"do": "text", "selector": …} -> {"texts": […]}          {"do": "links"} -> {"links": […]}
//   {"do": "click"|"fill"|"press", "selector": …, "value": …} {"do": "script", "text": …} -> {"value": …}
//   {"do": "look"} -> {"problems": […]}: errors on the console, refused loads, violations of the policy and of axe-core's rules,
//   and what is wider than the window           {"do": "shot", "file": …, "print": true}            {"do": "end"}
"use strict";
const fs = require("fs");
const readline = require("readline");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const SECONDS = 20;
let browser, context, page, problems;

function watch() {
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") problems.push(`console: ${m.text()}`);
  });
  page.on("pageerror", (e) => problems.push(`script: ${e.message}`));
  page.on("requestfailed", (r) => {
    if (!r.url().includes("/events")) problems.push(`not loaded: ${r.url()} ${r.failure().errorText}`);
  });
  page.on("response", (r) => {
    if (r.status() >= 400 && r.request().resourceType() !== "document") problems.push(`${r.status()}: ${r.url()}`);
  });
}

async function open(order) {
  if (context) await context.close();
  problems = [];
  context = await browser.newContext({
    colorScheme: order.scheme || "light",
    viewport: { width: order.width || 1280, height: order.height || 900 },
    deviceScaleFactor: 1,
    isMobile: (order.width || 1280) < 600,
    hasTouch: (order.width || 1280) < 600,
    extraHTTPHeaders: order.token ? { Authorization: `Bearer ${order.token}` } : {},
  });
  context.setDefaultTimeout(SECONDS * 1000);
  await context.exposeBinding("violated", (source, text) => problems.push(text));
  await context.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) =>
    window.violated(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile || ""}`)));
  page = await context.newPage();
  watch();
  return go(order.url);
}

async function go(url) {
  const answer = await page.goto(url, { waitUntil: "load" });
  // A page that goes on living is looked at when it does.
  if (await page.locator("#live").count()) await page.waitForSelector('#live[data-state="live"]');
  return { status: answer.status(), title: await page.title(), url: page.url() };
}

async function look() {
  await page.evaluate(axe); // by the debugger: the page's own policy would refuse a script of ours
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations.map((v) =>
    `axe: ${v.id} (${v.impact}): ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`));
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth + 1) return [];
    const out = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1 &&
      !e.closest(".wide")).slice(0, 3);
    return [`wider than the window: ${root.scrollWidth} of ${root.clientWidth}: ${out.map((e) => e.outerHTML.slice(0, 120)).join(" | ")}`];
  });
  return { problems: [...problems, ...found, ...wide] };
}

async function shot(order) {
  if (order.print) await page.emulateMedia({ media: "print" });
  await page.screenshot({ path: order.file, fullPage: order.whole !== false });
  if (order.print) await page.emulateMedia({ media: null });
  return {};
}

const orders = {
  open,
  go: (o) => go(o.url),
  look,
  shot,
  text: async (o) => ({ texts: await page.locator(o.selector).allInnerTexts() }),
  links: async () => ({ links: await page.evaluate(() => [...document.querySelectorAll("a[href]")].map((a) => a.href)) }),
  click: async (o) => { await page.click(o.selector); await page.waitForLoadState("load"); return { url: page.url() }; },
  fill: async (o) => { await page.fill(o.selector, o.value); return {}; },
  press: async (o) => { await page.press(o.selector, o.value); await page.waitForLoadState("load"); return { url: page.url() }; },
  script: async (o) => ({ value: await page.evaluate(o.text) }),
  cookies: async () => ({ cookies: await context.cookies() }),
};

(async () => {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (order.do === "end") break;
    let answer;
    try {
      answer = await orders[order.do](order);
    } catch (e) {
      answer = { error: `${order.do} ${order.selector || order.url || ""}: ${e.message}` };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
  await browser.close();
})();
