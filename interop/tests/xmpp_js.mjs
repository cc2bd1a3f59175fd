// xmpp_js - @xmpp/client (xmpp.js) over WebSocket, TCP with STARTTLS and direct TLS: login, presence, roster, chat,
// archive, and a resumption after a lost connection. It takes SASL2, Bind 2 and FAST by itself where they are offered.
// timeout: 60
// Not here: browsers (strophe).
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";
import { account, expectation, main, ok, same, state, traced } from "../lib/tap.mjs";

// Node 20 has no WebSocket of its own, and xmpp.js takes the global one.
globalThis.WebSocket = WebSocket;

const WAYS = {
  "WebSocket": `ws://${state.host}:${state.ports.http}/xmpp-websocket`,
  "WebSocket with TLS": `wss://localhost:${state.ports.https}/xmpp-websocket`,
  "STARTTLS": `xmpp://${state.host}:${state.ports.c2s}`,
  "direct TLS": `xmpps://localhost:${state.ports.tls}`,
};

class Session {
  constructor(who, service, resource) {
    this.who = who;
    this.seen = [];
    this.waiting = [];
    this.xmpp = client({ service, domain: who.domain, resource, username: who.local, password: who.password });
    this.xmpp.reconnect.delay = 20;
    this.xmpp.on("error", (error) => traced(who.local, "error", error));
    this.xmpp.on("element", (data) => traced(who.local, "RECV", data));
    this.xmpp.on("send", (data) => traced(who.local, "SEND", data));
    this.xmpp.on("stanza", (stanza) => {
      this.seen.push(stanza);
      for (const wait of this.waiting) wait();
    });
  }

  /** The first stanza that matches; it is taken. */
  async expect(match, what) {
    const hope = expectation(what);
    const look = () => {
      const at = this.seen.findIndex(match);
      if (at >= 0) hope.fulfil(this.seen.splice(at, 1)[0]);
    };
    this.waiting.push(look);
    look();
    try {
      return await hope.promise;
    } finally {
      this.waiting.splice(this.waiting.indexOf(look), 1);
    }
  }

  async login() {
    const late = expectation("login", 30);
    // xmpp.js 0.14 listens for the server's stream header only when its own write has called back. An answer that is
    // faster is missed: start() gives up after 2 s, although the client has long been online.
    const fail = (error) => { if (error?.name !== "TimeoutError") late.fail(error); };
    this.xmpp.on("error", fail);
    this.xmpp.on("online", late.fulfil);
    this.xmpp.start().catch(fail);
    await late.promise;
    // With SM of its own (not inline in SASL2) xmpp.js says "online" too early, and then loses count of what comes in
    // before it has seen <enabled/>: a resumption then brings things twice, and some servers end the stream.
    const end = Date.now() + 3000;
    while (!this.xmpp.streamManagement.enabled && Date.now() < end) await new Promise((go) => setTimeout(go, 5));
    await this.xmpp.send(xml("presence"));
    await this.expect((s) => s.is("presence") && s.attrs.from === String(this.xmpp.jid), "its own presence");
    return this;
  }

  text(to, body) {
    return this.xmpp.send(xml("message", { to, type: "chat", id: body.replace(/\W/g, "") }, xml("body", {}, body)));
  }
}

const body = (text) => (s) => s.is("message") && s.getChildText("body") === text;

async function session(way, service) {
  const [alice, bob] = [new Session(account("alice"), service, "js"), new Session(account("bob"), service, "js")];
  await Promise.all([alice.login(), bob.login()]);
  ok(alice.xmpp.streamManagement.enabled, `${way}: stream management is on`);
  ok(String(alice.xmpp.jid).startsWith(`${alice.who.jid}/`), `${way}: login as ${alice.xmpp.jid}`);
  const roster = await alice.xmpp.iqCaller.get(xml("query", "jabber:iq:roster"));
  same(roster.getChildren("item").length, 0, `${way}: a new roster is empty`);
  await alice.text(bob.who.jid, "hello ü <&>");
  const got = await bob.expect(body("hello ü <&>"), "the message");
  same(got.attrs.from, String(alice.xmpp.jid), `${way}: a message arrives`);
  await bob.text(got.attrs.from, "hello back");
  await alice.expect(body("hello back"), "the answer");
  ok(true, `${way}: and the answer`);
  const query = (s) => s.getChild("result", "urn:xmpp:mam:2");
  const answer = await alice.xmpp.iqCaller.request(
    xml("iq", { type: "set" }, xml("query", { xmlns: "urn:xmpp:mam:2", queryid: "q" })));
  same(answer.getChild("fin", "urn:xmpp:mam:2")?.attrs.complete, "true", `${way}: the archive answers`);
  const kept = alice.seen.filter(query).map((s) =>
    query(s).getChild("forwarded", "urn:xmpp:forward:0").getChild("message").getChildText("body"));
  same(kept, ["hello ü <&>", "hello back"], `${way}: the archive has both`);
  alice.seen.length = 0;

  // Lose the connection: xmpp.js connects again by itself and resumes.
  const before = String(alice.xmpp.jid);
  const resumed = expectation("the resumption", 30);
  alice.xmpp.streamManagement.on("resumed", resumed.fulfil);
  alice.xmpp.on("online", () => resumed.fulfil("a new session"));
  const inner = alice.xmpp.socket.socket ?? alice.xmpp.socket;
  (inner.terminate ?? inner.destroy).call(inner);
  await bob.text(before, "while away");
  const how = await resumed.promise;
  ok(how !== "a new session", `${way}: resumes after a lost connection`);
  await alice.expect(body("while away"), "what came meanwhile");
  await bob.text(before, "after");
  await alice.expect(body("after"), "a message after the resumption");
  same(alice.seen.filter((s) => s.getChild("body")).length, 0, `${way}: what came meanwhile arrives once`);
  await Promise.all([alice.xmpp.stop(), bob.xmpp.stop()]);
  ok(true, `${way}: orderly end`);
}

async function wrongPassword() {
  const who = { ...account("alice"), password: "wrong" };
  const xmpp = client({ service: WAYS.WebSocket, domain: who.domain, username: who.local, password: who.password });
  xmpp.reconnect.stop();
  xmpp.on("error", () => {});
  const failure = await xmpp.start().then(() => null, (error) => error);
  same(failure?.condition, "not-authorized", "a wrong password is not-authorized");
}

await main([
  ...Object.entries(WAYS).map(([way, service]) => [way, () => session(way, service)]),
  ["wrong password", wrongPassword],
]);
