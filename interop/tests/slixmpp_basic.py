"""slixmpp_basic - the everyday life of an account, with slixmpp: RFC 6120, RFC 6121 and the XEPs the scenarios name.

An argument picks the scenarios whose name contains it.
Not here: the scenarios themselves (the modules below), two domains (slixmpp_multi_domain), SASL2 (sasl2_raw).
"""
# timeout: 150
import sys

import _basic_session  # noqa: F401 - each import registers its scenarios
import _basic_roster  # noqa: F401
import _basic_messages  # noqa: F401
import _basic_archive  # noqa: F401
import _basic_stream_management  # noqa: F401
import tap
from xmpp import close_all

if __name__ == "__main__":
    tap.main(close_all, sys.argv[1] if len(sys.argv) > 1 else None)
