// strophe - strophe.js over BOSH (XEP-0124, XEP-0206) and WebSocket (RFC 7395): in Node, and in a page of a real
// headless Chromium that comes from another origin (so CORS and the WebSocket's origin are in play too).
// timeout: 90
// Not here: the conversation itself (../lib/strophe_session.mjs).
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JSDOM } from "jsdom";
import { conversation } from "../lib/strophe_session.mjs";
import { account, expectation, main, ok, state, traced } from "../lib/tap.mjs";

const HERE = new URL(".", import.meta.url).pathname;
const WAYS = {
  BOSH: `http://${state.host}:${state.ports.http}/http-bind`,
  WebSocket: `ws://${state.host}:${state.ports.http}/xmpp-websocket`,
};
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
// As root there is no sandbox; the rest keeps it from talking to anybody but us.
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
  "--no-proxy-server", "--disable-extensions", "--mute-audio"];
const PAGE = (config) => `<!doctype html><meta charset="utf-8"><title>strophe</title><script type="module">
  const say = (kind, value) => fetch("/" + kind, { method: "POST", body: JSON.stringify(value) });
  let last = Promise.resolve();
  const queue = (kind, value) => (last = last.then(() => say(kind, value)));
  addEventListener("error", (e) => queue("check", [false, "page: " + e.message]));
  try {
    const strophe = await import("/strophe.js");
    const { conversation } = await import("/session.mjs");
    for (const [way, url, one, other] of ${JSON.stringify(config)}) {
      try {
        await conversation(strophe, way, url, one, other, (...check) => queue("check", check),
          (...line) => queue("trace", line));
      } catch (error) { queue("check", [false, way + ": " + error.message, error.stack]); }
    }
  } catch (error) { queue("check", [false, "page: " + error.message, error.stack]); }
  queue("done", true);
</script>`;

async function inNode(way, url) {
  // Strophe's BOSH wants XMLHttpRequest; jsdom's has the origin rules of a browser.
  const dom = new JSDOM("", { url: "http://127.0.0.1:1/" });
  const strophe = await import("strophe.js");
  globalThis.XMLHttpRequest = dom.window.XMLHttpRequest;
  try {
    await conversation(strophe, `Node ${way}`, url, account("alice"), account("bob"), ok, traced);
  } finally {
    dom.window.close();
  }
}

/** The page's own little server: its files, and the checks that the page posts. */
function pageServer(page, done) {
  const files = {
    "/": ["text/html", page],
    "/strophe.js": ["text/javascript", readFileSync(join(HERE, "../node_modules/strophe.js/dist/strophe.esm.js"))],
    "/session.mjs": ["text/javascript", readFileSync(join(HERE, "../lib/strophe_session.mjs"))],
  };
  return createServer((request, response) => {
    if (request.method === "GET") {
      const [type, content] = files[request.url] ?? ["text/plain", ""];
      response.writeHead(files[request.url] ? 200 : 404, { "Content-Type": `${type}; charset=utf-8` });
      response.end(content);
      return;
    }
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk) => { body += chunk; });
    request.on("end", () => {
      const value = JSON.parse(body);
      if (request.url === "/check") ok(...value);
      if (request.url === "/trace") traced(...value);
      if (request.url === "/done") done.fulfil();
      response.end();
    });
  });
}

/** Removes a browser's profile. A directory that is left over in /tmp is no fault of the server, so it fails nothing. */
async function removed(profile) {
  for (let left = 20; left > 0; left -= 1) {
    try {
      return rmSync(profile, { recursive: true, force: true });
    } catch (error) {
      traced("chromium", "still writes", String(error));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function inChromium() {
  if (!CHROMIUM) throw new Error("no Chromium: interop/setup");
  const config = Object.entries(WAYS).map(([way, url]) => [`Chromium ${way}`, url, account("alice"), account("bob")]);
  const done = expectation("the page to end", 150);
  const server = pageServer(PAGE(config), done);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const profile = mkdtempSync(join(tmpdir(), "interop-chromium-"));
  const browser = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${profile}`, "--remote-debugging-port=0",
    `http://127.0.0.1:${server.address().port}/`], { stdio: ["ignore", "ignore", "pipe"] });
  browser.stderr.on("data", (text) => traced("chromium", "says", text));
  browser.on("exit", (code) => done.fail(new Error(`Chromium ended with ${code}`)));
  // Its children, which write into the profile for a moment after it has ended, hold the pipe open.
  const gone = new Promise((resolve) => browser.on("close", resolve));
  try {
    await done.promise;
  } finally {
    browser.kill();
    await gone;
    server.close();
    server.closeAllConnections();
    await removed(profile);
  }
}

await main([
  ...Object.entries(WAYS).map(([way, url]) => [`Node ${way}`, () => inNode(way, url)]),
  ["Chromium", inChromium],
]);
