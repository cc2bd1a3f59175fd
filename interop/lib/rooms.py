"""rooms.py - rooms for tests with slixmpp: join, make, and what presence in them says (XEP-0045).

Not here: what is checked (../tests).
"""
from xmpp import STATE, WAIT

MUC = "http://jabber.org/protocol/muc"
SERVICE = "conference." + STATE.domains[0]
CODE = f".//{{{MUC}#user}}status"


def codes(presence):
    """The status codes of a presence."""
    return {int(status.get("code")) for status in presence.xml.findall(CODE)}


def item(presence):
    """The item of a presence."""
    return presence.xml.find(f".//{{{MUC}#user}}item")


def in_room(room, nick, kind="available"):
    """Presence of an occupant."""
    return lambda s: (s.name == "presence" and s["from"] == f"{room}/{nick}"
                      and (s.xml.get("type") or "available") == kind)


async def join(client, room, nick, **more):
    """Join with slixmpp's own means; returns the self-presence."""
    await client.plugin["xep_0045"].join_muc_wait(room, nick, timeout=WAIT, **more)
    return await client.expect(in_room(room, nick), "its own presence in the room")


async def make(client, room, nick, **fields):
    """Make a room and configure it."""
    own = await join(client, room, nick)
    form = await client.plugin["xep_0045"].get_room_config(room)
    answers = {"FORM_TYPE": f"{MUC}#roomconfig"}
    answers.update({f"muc#roomconfig_{name}": value for name, value in fields.items()})
    form.reply()
    form["values"] = {**form.get_values(), **answers}
    form["type"] = "submit"
    await client.plugin["xep_0045"].set_room_config(room, form)
    return own
