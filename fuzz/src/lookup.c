/* libidn2 looks a domain up. (Its header and that of libidn cannot be read together.)
 *
 * Not here: what is compared (lib.rs). */

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

/* The form of a domain for looking it up, by the rules of 2008; gives its length, or -1 where it is refused. */
int looks_up(const char *domain, char *out, size_t room) {
    uint8_t *ascii = NULL;
    int length = -1;
    if (idn2_lookup_u8((const uint8_t *)domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
        strlen((char *)ascii) < room) {
        length = (int)strlen((char *)ascii);
        memcpy(out, ascii, (size_t)length);
    }
    free(ascii);
    return length;
}
