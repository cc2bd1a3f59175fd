/* GNU libidn prepares the parts of an address.
 *
 * Not here: what is compared (crates/fuzzing/src/jid.rs). */

#include <stdlib.h>
#include <string.h>
#include <stringprep.h>

/* Prepares a part; gives its length, or -1 where it is refused. */
int prepares(const char *text, size_t len, char what, char *out, size_t room) {
    const Stringprep_profile *profile = what == 'n'   ? stringprep_xmpp_nodeprep
                                        : what == 'd' ? stringprep_nameprep
                                                      : stringprep_xmpp_resourceprep;
    if (len + 1 > room || memchr(text, 0, len)) return -1;
    memcpy(out, text, len);
    out[len] = 0;
    if (what == 'd' && len > 1 && out[len - 1] == '.') out[len - 1] = 0; /* RFC 7622 section 3.2 */
    if (stringprep(out, room, STRINGPREP_NO_UNASSIGNED, profile) != STRINGPREP_OK) return -1;
    return (int)strlen(out);
}
