/* expat and libxml2 read a stream and tell what they see to one function.
 *
 * Kinds: 's' element (namespace, name), 'a' attribute (namespace, name, value), 'd' start tag done, 'e' end, 't' text.
 *
 * Not here: what is made of it (lib.rs). */

#include <expat.h>
#include <libxml/parser.h>
#include <string.h>

typedef void (*tell)(void *to, char kind, const char *a, size_t al, const char *b, size_t bl, const char *c, size_t cl);
struct ear { void *to; tell tell; int refused; };

/* ---- expat: names are `namespace SEP local`, and no name can hold this separator. */
#define SEP '\x01'

static void split(const char *name, const char **ns, size_t *nl, const char **local) {
    const char *sep = strchr(name, SEP);
    *ns = sep ? name : "";
    *nl = sep ? (size_t)(sep - name) : 0;
    *local = sep ? sep + 1 : name;
}

static void XMLCALL ex_start(void *user, const XML_Char *name, const XML_Char **attrs) {
    struct ear *ear = user;
    const char *ns, *local;
    size_t nl;
    split(name, &ns, &nl, &local);
    ear->tell(ear->to, 's', ns, nl, local, strlen(local), "", 0);
    for (; *attrs; attrs += 2) {
        split(attrs[0], &ns, &nl, &local);
        ear->tell(ear->to, 'a', ns, nl, local, strlen(local), attrs[1], strlen(attrs[1]));
    }
    ear->tell(ear->to, 'd', "", 0, "", 0, "", 0);
}

static void XMLCALL ex_end(void *user, const XML_Char *name) {
    struct ear *ear = user;
    (void)name;
    ear->tell(ear->to, 'e', "", 0, "", 0, "", 0);
}

static void XMLCALL ex_text(void *user, const XML_Char *text, int len) {
    struct ear *ear = user;
    ear->tell(ear->to, 't', text, (size_t)len, "", 0, "", 0);
}

int expat_reads(const char *bytes, size_t len, tell f, void *to) {
    struct ear ear = {to, f, 0};
    XML_Parser parser = XML_ParserCreateNS(NULL, SEP);
    XML_SetUserData(parser, &ear);
    XML_SetElementHandler(parser, ex_start, ex_end);
    XML_SetCharacterDataHandler(parser, ex_text);
    /* Two pieces, so that nothing waits for the end of the document. */
    int refused = XML_Parse(parser, bytes, (int)len, 0) == XML_STATUS_ERROR;
    XML_ParserFree(parser);
    return refused;
}

/* ---- libxml2 */

static void lx_start(void *user, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri, int nns,
                     const xmlChar **nss, int nattrs, int ndefault, const xmlChar **attrs) {
    xmlParserCtxtPtr ctxt = user;
    struct ear *ear = ctxt->_private;
    if (ear->refused) return;
    (void)prefix, (void)nns, (void)nss, (void)ndefault;
    const char *ns = uri ? (const char *)uri : "";
    ear->tell(ear->to, 's', ns, strlen(ns), (const char *)local, strlen((const char *)local), "", 0);
    for (int i = 0; i < nattrs; i++, attrs += 5) {
        const char *ans = attrs[2] ? (const char *)attrs[2] : "", *name = (const char *)attrs[0];
        ear->tell(ear->to, 'a', ans, strlen(ans), name, strlen(name), (const char *)attrs[3],
                  (size_t)(attrs[4] - attrs[3]));
    }
    ear->tell(ear->to, 'd', "", 0, "", 0, "", 0);
}

static void lx_end(void *user, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri) {
    struct ear *ear = ((xmlParserCtxtPtr)user)->_private;
    if (ear->refused) return;
    (void)local, (void)prefix, (void)uri;
    ear->tell(ear->to, 'e', "", 0, "", 0, "", 0);
}

static void lx_text(void *user, const xmlChar *text, int len) {
    struct ear *ear = ((xmlParserCtxtPtr)user)->_private;
    ear->tell(ear->to, 't', (const char *)text, (size_t)len, "", 0, "", 0);
}

/* Faults of namespaces, after which libxml2 goes on and nobody should. That a namespace is no URI is none: Namespaces
 * in XML 1.0, section 3, leaves checking that to applications. */
static void lx_fault(void *user, const xmlError *error) {
    struct ear *ear = ((xmlParserCtxtPtr)user)->_private;
    int is_fault = error->level >= XML_ERR_ERROR && error->code != XML_WAR_NS_URI;
    if (error->domain == XML_FROM_NAMESPACE && is_fault) ear->refused = 1;
}

static void quiet(void *ctx, const char *msg, ...) { (void)ctx, (void)msg; }

int libxml2_reads(const char *bytes, size_t len, tell f, void *to) {
    struct ear ear = {to, f, 0};
    xmlSAXHandler sax;
    memset(&sax, 0, sizeof sax);
    sax.initialized = XML_SAX2_MAGIC;
    sax.startElementNs = lx_start;
    sax.endElementNs = lx_end;
    sax.characters = lx_text;
    sax.cdataBlock = lx_text;
    sax.ignorableWhitespace = lx_text;
    sax.serror = (xmlStructuredErrorFunc)lx_fault;
    xmlSetGenericErrorFunc(NULL, quiet);
    xmlParserCtxtPtr ctxt = xmlCreatePushParserCtxt(&sax, NULL, NULL, 0, NULL);
    ctxt->_private = &ear;
    xmlCtxtUseOptions(ctxt, XML_PARSE_NOENT | XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlParseChunk(ctxt, bytes, (int)len, 0);
    int refused = ear.refused || !ctxt->wellFormed;
    if (ctxt->myDoc) xmlFreeDoc(ctxt->myDoc);
    xmlFreeParserCtxt(ctxt);
    return refused;
}
