"""federation_dialback - the same with servers that trust none of the authorities: dialback (XEP-0220).

An argument picks the scenarios whose name contains it.
Not here: what they do (_federation.py).
"""
# timeout: 120
# own-server: yes
import sys

import federation
from federation import EJABBERD, OURS, PROSODY

NET = federation.Net(auth="dialback", direct_tls=False)

import _federation  # noqa: E402
import tap  # noqa: E402
from tap import scenario  # noqa: E402
from xmpp import close_all  # noqa: E402

_federation.register([(OURS[0], PROSODY), (OURS[0], EJABBERD)])


@scenario("how")
async def how(t):
    t.ok(NET.ours.measure("s2s_proofs", how="dialback") > 0, "domains were believed by dialback")
    t.same(NET.ours.measure("s2s_proofs", how="certificate"), 0, "none by a certificate")
    for ip, who in ((NET.prosody_ip, "Prosody"), (NET.ejabberd_ip, "ejabberd")):
        t.ok(NET.went(ip, 5269), f"STARTTLS to {who}")


if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
