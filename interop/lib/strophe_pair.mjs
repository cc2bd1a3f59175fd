// strophe_pair.mjs - two people in one web page with strophe.js: a room and its archive, a file, an avatar. What a browser
// forbids (other origins, certificates) is in play: the page fetches, and shows, what the server gives.
// Not here: chats (strophe_session.mjs), where it runs and who prints (../tests/strophe.mjs).
import { Session, until } from "/session.mjs";

const MUC = "http://jabber.org/protocol/muc";
const PUBSUB = "http://jabber.org/protocol/pubsub";
const MAM = "urn:xmpp:mam:2";
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const bytes = Uint8Array.from(atob(PNG), (c) => c.charCodeAt(0));

/** A request with a payload of its own; resolves with the answer. */
function request(session, type, to, build) {
  const { $iq } = session.strophe;
  return new Promise((resolve, reject) =>
    session.connection.sendIQ(build($iq(to ? { type, to } : { type })), resolve,
      (e) => reject(new Error(e ? e.outerHTML ?? String(e) : "no answer")), 24000));
}

const text = (element, name) => element.getElementsByTagName(name)[0]?.textContent;
const has = (presence, code) => [...presence.getElementsByTagName("status")].some((s) => s.getAttribute("code") === code);

async function join(session, room, nick) {
  const { $pres } = session.strophe;
  session.connection.send($pres({ to: `${room}/${nick}` }).c("x", { xmlns: MUC }));
  return until(() => session.presences.find((p) => p.getAttribute("from") === `${room}/${nick}` && has(p, "110")), "joining");
}

async function inRoom(way, alice, bob, ok) {
  const { $msg } = alice.strophe;
  const room = `page-${alice.who.local}@conference.${alice.who.domain}`;
  const own = await join(alice, room, "Alice");
  ok(has(own, "201"), `${way}: a room is made`);
  await request(alice, "set", room, (iq) =>
    iq.c("query", { xmlns: `${MUC}#owner` }).c("x", { xmlns: "jabber:x:data", type: "submit" }));
  await join(bob, room, "Bob");
  await until(() => alice.presences.find((p) => p.getAttribute("from") === `${room}/Bob`), "the newcomer");
  ok(true, `${way}: another comes in`);
  for (const [one, words] of [[alice, "first"], [bob, "second"]]) {
    one.connection.send($msg({ to: room, type: "groupchat" }).c("body").t(`${words} ü <&>`));
    await until(() => alice.heard(`${words} ü <&>`) && bob.heard(`${words} ü <&>`), words);
  }
  ok(alice.heard("second ü <&>").getAttribute("from") === `${room}/Bob`, `${way}: all hear what is said there`);
  const asked = alice.messages.length;
  const answer = await request(alice, "set", room, (iq) =>
    iq.c("query", { xmlns: MAM, queryid: "r" }).c("set", { xmlns: "http://jabber.org/protocol/rsm" }).c("max").t("1"));
  const page = alice.messages.slice(asked).filter((m) => m.getElementsByTagName("result").length > 0);
  ok(page.length === 1 && text(page[0], "body") === "first ü <&>", `${way}: a page of the room's archive`, page.length);
  ok(answer.getElementsByTagName("fin")[0]?.getAttribute("complete") !== "true", `${way}: and that there is more`);
}

async function file(way, alice, bob, ok) {
  const slot = await request(alice, "get", alice.who.domain, (iq) => iq.c("request", {
    xmlns: "urn:xmpp:http:upload:0", filename: "dot.png", size: String(bytes.length), "content-type": "image/png",
  }));
  const [put, get] = ["put", "get"].map((name) => slot.getElementsByTagName(name)[0].getAttribute("url"));
  const done = await fetch(put, { method: "PUT", body: bytes, headers: { "Content-Type": "image/png" } });
  ok(done.status === 201, `${way}: a page of another origin uploads a file`, done.status);
  alice.text(bob.connection.jid, get);
  await until(() => bob.heard(get), "the link");
  const came = await fetch(get);
  const content = new Uint8Array(await came.arrayBuffer());
  ok(content.length === bytes.length && content.every((b, n) => b === bytes[n]), `${way}: and fetches it as it was`);
  const image = new Image();
  image.src = get;
  await image.decode();
  ok(image.naturalWidth === 1, `${way}: and shows it`);
}

async function avatar(way, alice, bob, ok) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", bytes));
  const id = [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
  const publish = (node, build) => request(alice, "set", null, (iq) => {
    build(iq.c("pubsub", { xmlns: PUBSUB }).c("publish", { node }).c("item", { id }));
    return iq.up().up().up().c("publish-options").c("x", { xmlns: "jabber:x:data", type: "submit" })
      .c("field", { var: "FORM_TYPE", type: "hidden" }).c("value").t(`${PUBSUB}#publish-options`).up().up()
      .c("field", { var: "pubsub#access_model" }).c("value").t("open");
  });
  await publish("urn:xmpp:avatar:data", (iq) => iq.c("data", { xmlns: "urn:xmpp:avatar:data" }).t(PNG));
  await publish("urn:xmpp:avatar:metadata", (iq) => iq.c("metadata", { xmlns: "urn:xmpp:avatar:metadata" })
    .c("info", { id, type: "image/png", bytes: String(bytes.length) }).up());
  const items = (node) => request(bob, "get", alice.who.jid, (iq) => iq.c("pubsub", { xmlns: PUBSUB }).c("items", { node }));
  const info = (await items("urn:xmpp:avatar:metadata")).getElementsByTagName("info")[0];
  ok(info?.getAttribute("id") === id, `${way}: somebody else sees the avatar's name`);
  ok(text(await items("urn:xmpp:avatar:data"), "data") === PNG, `${way}: and fetches it`);
}

/** All of it. `ok(passed, text, detail)` takes the checks, `traced(who, way, text)` the XML. */
export async function together(strophe, way, url, one, other, ok, traced) {
  const [alice, bob] = [new Session(strophe, url, one, traced), new Session(strophe, url, other, traced)];
  await alice.login();
  await bob.login();
  await inRoom(way, alice, bob, ok);
  await file(way, alice, bob, ok);
  await avatar(way, alice, bob, ok);
  await alice.end();
  await bob.end();
}
