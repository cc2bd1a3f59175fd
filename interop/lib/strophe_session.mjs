// strophe_session.mjs - one conversation with strophe.js over the address given; runs in Node and in a web page alike.
// Not here: where it runs and who prints (../tests/strophe.mjs).

/** Wait for a condition that the callbacks make true. */
function until(condition, what, seconds = 24) {
  const end = Date.now() + seconds * 1000;
  return new Promise((resolve, reject) => {
    const look = () => {
      const value = condition();
      if (value) resolve(value);
      else if (Date.now() > end) reject(new Error(`waited ${seconds} s for ${what}`));
      else setTimeout(look, 10);
    };
    look();
  });
}

class Session {
  constructor(strophe, url, who, traced) {
    const { Strophe } = strophe;
    Object.assign(this, { strophe, who, statuses: [], messages: [], presences: [] });
    this.connection = new Strophe.Connection(url, {});
    this.connection.rawInput = (data) => traced(who.local, "RECV", data);
    this.connection.rawOutput = (data) => traced(who.local, "SEND", data);
  }

  async login() {
    const { Strophe, $pres } = this.strophe;
    const names = Object.fromEntries(Object.entries(Strophe.Status).map(([k, v]) => [v, k]));
    this.connection.connect(this.who.jid, this.who.password, (status) => this.statuses.push(names[status]));
    const last = await until(() => this.statuses.find((s) => ["CONNECTED", "AUTHFAIL", "CONNFAIL"].includes(s)), "login");
    if (last !== "CONNECTED") throw new Error(`${this.who.jid}: ${this.statuses}`);
    this.connection.addHandler((m) => this.messages.push(m), null, "message");
    this.connection.addHandler((p) => this.presences.push(p), null, "presence");
    this.connection.send($pres());
    await until(() => this.presences.find((p) => p.getAttribute("from") === this.connection.jid), "its own presence");
    return this;
  }

  ask(type, namespace, to, attributes = {}) {
    const { $iq } = this.strophe;
    const iq = $iq(to ? { type, to } : { type }).c("query", { xmlns: namespace, ...attributes });
    return new Promise((resolve, reject) =>
      this.connection.sendIQ(iq, resolve, (e) => reject(new Error(e ? e.outerHTML ?? String(e) : "no answer")), 24000));
  }

  text(to, body) {
    const { $msg } = this.strophe;
    this.connection.send($msg({ to, type: "chat" }).c("body").t(body));
  }

  heard(body) {
    return this.messages.find((m) => [...m.childNodes].some((c) => c.nodeName === "body" && c.textContent === body));
  }

  async end() {
    this.connection.disconnect("done");
    await until(() => this.statuses.includes("DISCONNECTED"), "the orderly end");
  }
}

/** The conversation. `ok(passed, text, detail)` takes the checks, `traced(who, way, text)` the XML. */
export async function conversation(strophe, way, url, one, other, ok, traced) {
  strophe.Strophe.setLogLevel(strophe.Strophe.LogLevel.ERROR);
  const alice = new Session(strophe, url, one, traced);
  const bob = new Session(strophe, url, other, traced);
  await alice.login();
  await bob.login();
  ok(alice.connection.jid.startsWith(one.jid + "/"), `${way}: login`);
  const info = await alice.ask("get", "http://jabber.org/protocol/disco#info", "localhost");
  ok(info.getElementsByTagName("feature").length > 3, `${way}: disco#info`);
  alice.text(other.jid, "hello ü 😀 <&>");
  const got = await until(() => bob.heard("hello ü 😀 <&>"), "the message");
  ok(got.getAttribute("from") === alice.connection.jid, `${way}: a message arrives`);
  // The other side's answers come while this side's request waits: BOSH's long poll, a socket's push.
  for (let n = 0; n < 10; n += 1) bob.text(alice.connection.jid, `answer ${n}`);
  await until(() => alice.heard("answer 9"), "the last answer");
  const bodies = alice.messages.map((m) => m.textContent).filter((t) => t.startsWith("answer"));
  ok(bodies.length === 10 && bodies.every((b, n) => b.startsWith(`answer ${n}`)), `${way}: 10 answers in order`, bodies);
  const fin = await alice.ask("set", "urn:xmpp:mam:2", null, { queryid: "q" });
  const results = alice.messages.filter((m) => m.getElementsByTagName("result").length > 0);
  ok(results.length === 11, `${way}: the archive has all of them`, `${results.length}`);
  ok(fin.getElementsByTagName("fin")[0]?.getAttribute("complete") === "true", `${way}: and says it is complete`);
  await alice.end();
  await bob.end();
  ok(true, `${way}: orderly end`);
}
