// tap.mjs - for JavaScript tests: TAP-like lines, the state file, accounts, waiting for conditions, a trace of the XML.
// Not here: any client (../tests/*.mjs), counting over scripts (runner.py).
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

export const state = JSON.parse(readFileSync(process.env.INTEROP_STATE, "utf8"));
export const PASSWORD = "Pencil and päper 7";
const RUN = randomBytes(3).toString("hex");
const SHOWN = 16;
const trace = [];
let number = 0;
let failed = 0;

/** Keep the last XML for the moment when a check fails. */
export function traced(who, way, text) {
  trace.push(`${who} ${way} ${String(text).slice(0, 600)}`);
  if (trace.length > 400) trace.shift();
}

/** One check. */
export function ok(passed, text, detail = "") {
  number += 1;
  console.log(`${passed ? "ok" : "not ok"} ${number} - ${text}`);
  if (passed) return true;
  failed += 1;
  for (const line of String(detail).split("\n").filter(Boolean)) console.log(`#   ${line}`);
  for (const line of trace.slice(-SHOWN)) console.log(`#   xml: ${line}`);
  return false;
}

/** Equality of two plain values. */
export function same(got, want, text) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  return ok(a === b, text, `got  ${a}\nwant ${b}`);
}

/** Make an account; gives { local, domain, jid, password }. */
export function account(name, domain = "localhost") {
  const local = `${name}-js-${number}-${randomBytes(2).toString("hex")}-${RUN}`;
  const words = { jid: `${local}@${domain}`, local, domain, password: PASSWORD };
  const [command, ...args] = state.user_add.map((w) => w.replace(/\{(\w+)\}/g, (_, k) => words[k]));
  execFileSync(command, args, { input: PASSWORD + "\n", stdio: ["pipe", "pipe", "pipe"] });
  return words;
}

/** A promise that something else settles, with an end: `await expectation("a message").promise`. */
export function expectation(what, seconds = 24) {
  const out = {};
  out.promise = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
    out.fulfil = (value) => (clearTimeout(timer), resolve(value));
    out.fail = (error) => (clearTimeout(timer), reject(error));
  });
  out.promise.catch(() => {}); // whoever awaits it sees the failure; nobody else must
  return out;
}

/** Run scenarios one after another; a thrown error is a failed check. Ends the process. */
export async function main(scenarios) {
  for (const [text, run] of scenarios) {
    trace.length = 0;
    try {
      await run();
    } catch (error) {
      ok(false, `${text}: ${error?.message ?? error}`, error?.stack);
    }
  }
  process.exit(failed ? 1 : 0);
}
