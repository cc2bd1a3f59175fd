//! The parser against tables of good and bad input, each cut in every way.
//!
//! The ids, … are rows of the project's list of attacks.
//!
//! Not here: the comparison with another parser (crate `fuzzing`).

use crate::fuzzing::{Seen, check_element, observe};
use crate::{Error, Event, Fault, Framing, Header, Limit, Limits, Parser, Restricted};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' xmlns:d='urn:d' to='x' version='1.0'>";

type Outcome = (Vec<Seen>, Result<(), Error>);

/// Observes the input whole, cut in two at every place, and byte by byte; all must agree.
fn outcome(framing: Framing, limits: Limits, input: &[u8]) -> Outcome {
    let whole = observe(framing, limits, input, &[usize::MAX]);
    for cut in 1..input.len() {
        assert_eq!(observe(framing, limits, input, &[cut, usize::MAX]), whole, "cut at {cut}");
    }
    assert_eq!(observe(framing, limits, input, &[1]), whole, "byte by byte");
    whole
}

/// The canonical elements of what comes after a usual header, and the verdict.
fn elements(rest: &[u8]) -> (Vec<String>, Result<(), Error>) {
    let input = [HEADER.as_bytes(), rest].concat();
    let (seen, verdict) = outcome(Framing::Stream, Limits::CLIENT, &input);
    let elements = seen.iter().filter_map(|seen| match seen {
        Seen::Element(bytes, _) => {
            check_element(bytes, "jabber:client");
            Some(String::from_utf8(bytes.to_vec()).unwrap())
        }
        _ => None,
    });
    (elements.collect(), verdict)
}

fn fault(fault: Fault) -> Error {
    Error::NotWellFormed(fault)
}

#[test]
fn canonical_form() {
    let rows: &[(&str, &str)] = &[
        ("<iq/>", "<iq/>"),
        ("<iq ></iq >", "<iq/>"),
        ("<iq type=\"get\"  id = 'a'\n/>", "<iq type='get' id='a'/>"),
        ("<iq xmlns='jabber:client'><query xmlns='q'/></iq>", "<iq><query xmlns='q'/></iq>"),
        ("<c:iq xmlns:c='jabber:client'><c:a/></c:iq>", "<iq><a/></iq>"),
        ("<auth xmlns='urn:sasl'>x</auth>", "<auth xmlns='urn:sasl'>x</auth>"),
        ("<d:result to='a'>k</d:result>", "<result xmlns='urn:d' to='a'>k</result>"),
        (
            "<message><forwarded xmlns='f'><message xmlns='jabber:client'><body>b</body></message></forwarded></message>",
            "<message><forwarded xmlns='f'><message xmlns='jabber:client'><body>b</body></message></forwarded></message>",
        ),
        ("<a xmlns='x'><b xmlns=''/></a>", "<a xmlns='x'><b xmlns=''/></a>"),
        ("<a xmlns=''/>", "<a xmlns=''/>"),
        (
            "<a xmlns:p='u'><p:b><p:c/><d/></p:b></a>",
            "<a><b xmlns='u'><c/><d xmlns='jabber:client'/></b></a>",
        ),
        ("<a xmlns:p='u'><b xmlns:p='v'><p:c/></b><p:c/></a>", "<a><b><c xmlns='v'/></b><c xmlns='u'/></a>"),
        (
            "<a xmlns:p='u' xmlns:q='v' b='1' p:b='2' q:b='3' p:c='4' xml:lang='de'/>",
            "<a b='1' xmlns:n1='u' n1:b='2' xmlns:n2='v' n2:b='3' n1:c='4' xml:lang='de'/>",
        ),
        ("<a d:x='1'><b d:x='2'/></a>", "<a xmlns:n1='urn:d' n1:x='1'><b xmlns:n1='urn:d' n1:x='2'/></a>"),
        ("<a xmlns='u&amp;&apos;v'><b/></a>", "<a xmlns='u&amp;&apos;v'><b/></a>"),
        (
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:space='preserve'/>",
            "<a xml:space='preserve'/>",
        ),
        // Text, CDATA and line ends. A-40
        ("<a>&lt;&gt;&amp;&quot;&apos;'\"></a>", "<a>&lt;&gt;&amp;\"''\"&gt;</a>"),
        ("<a>x<![CDATA[<b>&amp;</b>]]>y</a>", "<a>x&lt;b&gt;&amp;amp;&lt;/b&gt;y</a>"),
        ("<a>]]<![CDATA[]]]]><![CDATA[>]]></a>", "<a>]]]]&gt;</a>"),
        ("<a><![CDATA[]]></a>", "<a/>"),
        ("<a><![CDATA[]]]]]]></a>", "<a>]]]]</a>"),
        ("<a>] ]> ]] > ]]&gt;</a>", "<a>] ]&gt; ]] &gt; ]]&gt;</a>"),
        ("<a>1\r\n2\r3\n4&#13;&#xD;\n\t5\r\r\n</a>", "<a>1\n2\n3\n4&#13;&#13;\n\t5\n\n</a>"),
        ("<a><![CDATA[1\r\n2\r]]>\n</a>", "<a>1\n2\n\n</a>"),
        ("<a>]\r\n<![CDATA[]\r\n]\r]]></a>", "<a>]\n]\n]\n</a>"),
        ("<a b='1\r\n2\r3\n4\t5&#9;&#10;&#13; \"&#39;>'/>", "<a b='1 2 3 4 5&#9;&#10;&#13; \"&apos;&gt;'/>"),
        ("<a b='1\r' c='\r&#10;\r'/>", "<a b='1 ' c=' &#10; '/>"),
        ("<a b=\"it's\"/>", "<a b='it&apos;s'/>"),
        ("<a>&#65;&#x42;&#x0000000043;&#x1F600;ü\u{2028}\u{FFFD}</a>", "<a>ABC😀ü\u{2028}\u{FFFD}</a>"),
        ("<é·x:ü xmlns:é·x='u' ö-1.='1'/>", "<ü xmlns='u' ö-1.='1'/>"),
        // what is in a namespace never becomes a separator.
        ("<d xmlns='b&#xA;c'/>", "<d xmlns='b&#10;c'/>"),
        ("<d:c xmlns:d='b'/>", "<c xmlns='b'/>"),
        //
        ("<a n='&#x27;&quot;&lt;&gt;&amp;'>]]&gt;&#13;</a>", "<a n='&apos;\"&lt;&gt;&amp;'>]]&gt;&#13;</a>"),
    ];
    for (input, expected) in rows {
        assert_eq!(elements(input.as_bytes()), (vec![(*expected).to_owned()], Ok(())), "{input}");
    }
}

#[test]
fn refused_input() {
    use Fault as F;
    use Restricted as R;
    let rows: &[(&str, &[u8], Error)] = &[
        ("A-01", b"<!DOCTYPE a>", Error::Restricted(R::Declaration)),
        ("A-01", b"<a><!DOCTYPE a></a>", Error::Restricted(R::Declaration)),
        ("A-02", b"<!ENTITY a 'b'>", Error::Restricted(R::Declaration)),
        ("A-03", b"<!ENTITY % a SYSTEM 'file:///etc/passwd'>", Error::Restricted(R::Declaration)),
        ("A-04", b"<?php ?>", Error::Restricted(R::ProcessingInstruction)),
        ("A-04", b"<a><?xml-stylesheet ?></a>", Error::Restricted(R::ProcessingInstruction)),
        ("A-05", b"<!-- -->", Error::Restricted(R::Comment)),
        ("A-05", b"<a><!----></a>", Error::Restricted(R::Comment)),
        ("A-06", b"<a>&foo;</a>", Error::Restricted(R::Entity)),
        ("A-06", b"<a b='&foo;'/>", Error::Restricted(R::Entity)),
        ("A-06", b"<a>&AMP;</a>", Error::Restricted(R::Entity)),
        ("A-07", b"<a></b>", fault(F::EndTag)),
        ("A-07", b"<a></ab>", fault(F::EndTag)),
        ("A-07", b"<ab></a>", fault(F::EndTag)),
        ("A-07", b"</a>", fault(F::EndTag)),
        ("A-07", b"<a></stream:stream>", fault(F::EndTag)),
        ("A-07", b"<d:a xmlns:e='urn:d'></e:a>", fault(F::EndTag)),
        ("A-07", b"<a></a x>", fault(F::EndTag)),
        ("A-09", b"<a>\xFF</a>", Error::BadUtf8),
        ("A-09", b"<a b='\x80'/>", Error::BadUtf8),
        ("A-09", b"<a\xC3 />", Error::BadUtf8),
        ("A-10", b"<a>\xC0\xBC</a>", Error::BadUtf8),
        ("A-10", b"<a>\xED\xA0\x80</a>", Error::BadUtf8),
        ("A-10", b"<a>\xF4\x90\x80\x80</a>", Error::BadUtf8),
        ("A-10", b"<a>ok \xC3\xBC\xE0\x80\xBC</a>", Error::BadUtf8),
        ("A-11", b"<a>\xE2\x82<b/></a>", Error::BadUtf8),
        ("A-11", b"<a b='\xE2\x82' c='<'/>", fault(F::LessThanInAttribute)),
        ("A-11", b"<a b='\xE2\x82'/>", Error::BadUtf8),
        ("A-11", b"<a b=\"\xE2\x82\"/>", Error::BadUtf8),
        ("A-11", b"<a\xE2\x82>", Error::BadUtf8),
        ("A-12", b"<a>&#0;</a>", fault(F::Char)),
        ("A-12", b"<a>&#xD800;</a>", fault(F::Char)),
        ("A-12", b"<a b='&#xFFFE;'/>", fault(F::Char)),
        ("A-12", b"<a>&#x110000;</a>", fault(F::Char)),
        ("A-12", b"<a>&#99999999999999999999;</a>", fault(F::Char)),
        ("A-12", b"<a>\x01</a>", fault(F::Char)),
        ("A-12", b"<a>\x00</a>", fault(F::Char)),
        ("A-12", b"<a b='\x1F'/>", fault(F::Char)),
        ("A-12", b"<a>x\xEF\xBF\xBE</a>", fault(F::Char)),
        ("A-12", b"<a><![CDATA[\xEF\xBF\xBF]]></a>", fault(F::Char)),
        ("A-12", b"<a b='\xC3\xBC\xEF\xBF\xBF'/>", fault(F::Char)),
        ("A-14", b"<?xml version='1.0'?>", fault(F::XmlDeclaration)),
        ("A-14", b"<a><?xml?></a>", fault(F::XmlDeclaration)),
        ("A-15", b"x<a/>", Error::TextBetweenElements),
        ("A-15", b" &amp;", Error::TextBetweenElements),
        ("A-15", b"<![CDATA[x]]>", fault(F::Markup)),
        ("A-37", b"<a b='' b=''/>", fault(F::DuplicateAttribute)),
        ("A-37", b"<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>", fault(F::DuplicateAttribute)),
        ("A-37", b"<a xmlns:p='u' xmlns:p='v'/>", fault(F::DuplicateAttribute)),
        ("A-37", b"<a xmlns='u' xmlns='u'/>", fault(F::DuplicateAttribute)),
        ("A-38", b"<p:a/>", Error::UndeclaredPrefix),
        ("A-38", b"<a p:b=''/>", Error::UndeclaredPrefix),
        ("A-38", b"<a><b xmlns:p='u'/><p:c/></a>", Error::UndeclaredPrefix),
        ("A-38", b"<a xmlns:xml='u'/>", fault(F::ReservedPrefix)),
        ("A-38", b"<a xmlns:xmlns='u'/>", fault(F::ReservedPrefix)),
        ("A-38", b"<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", fault(F::ReservedPrefix)),
        ("A-38", b"<a xmlns='http://www.w3.org/XML/1998/namespace'/>", fault(F::ReservedPrefix)),
        ("A-38", b"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", fault(F::ReservedPrefix)),
        ("A-38", b"<xml:a/>", fault(F::ReservedPrefix)),
        ("A-38", b"<xmlns:a/>", fault(F::ReservedPrefix)),
        ("A-38", b"<a xmlns:p=''/>", fault(F::EmptyNamespace)),
        ("A-39", b"<a b='<'/>", fault(F::LessThanInAttribute)),
        ("A-39", b"<a>]]></a>", fault(F::CdataEndInText)),
        ("A-39", b"<a>]]]]></a>", fault(F::CdataEndInText)),
        ("A-39", b"<a b='1'c='2'/>", fault(F::MissingSpace)),
        ("A-39", b"<a:b:c xmlns:a='u'/>", fault(F::Name)),
        ("A-39", b"<:a/>", fault(F::Name)),
        ("A-39", b"<d:/>", fault(F::Name)),
        ("A-39", b"<d:1/>", fault(F::Name)),
        ("names", b"<1/>", fault(F::Name)),
        ("names", b"< a/>", fault(F::Name)),
        ("names", b"<\xC2\xB7/>", fault(F::Name)),
        ("names", b"<a \xC3\x97=''/>", fault(F::Name)),
        ("names", b"<a\x00/>", fault(F::MissingSpace)),
        ("tags", b"<a b/>", fault(F::Attribute)),
        ("tags", b"<a b=c/>", fault(F::Attribute)),
        ("tags", b"<a / >", fault(F::Attribute)),
        ("tags", b"<a =''/>", fault(F::Name)),
        ("tags", b"<a <b/>", fault(F::Name)),
        ("markup", b"<!a>", fault(F::Markup)),
        ("markup", b"<a><![CDATX[", fault(F::Markup)),
        ("references", b"<a>& </a>", fault(F::Reference)),
        ("references", b"<a>&;</a>", fault(F::Reference)),
        ("references", b"<a>&#;</a>", fault(F::Reference)),
        ("references", b"<a>&#x;</a>", fault(F::Reference)),
        ("references", b"<a>&#xG;</a>", fault(F::Reference)),
        ("references", b"<a>&#X41;</a>", fault(F::Reference)),
        ("references", b"<a>&1;</a>", fault(F::Reference)),
        ("references", b"<a b='&amp'/>", fault(F::Reference)),
    ];
    for (id, input, error) in rows {
        let shown = String::from_utf8_lossy(input);
        let (_, verdict) = elements(input);
        assert_eq!(verdict, Err(*error), "{id} {shown}");
        // A good element before changes nothing; nothing after is told.
        let (before, verdict) = elements(&[b"<ok/>", *input, b"<evil/>"].concat());
        assert_eq!(
            (before.first().map(String::as_str), verdict),
            (Some("<ok/>"), Err(*error)),
            "{id} {shown}"
        );
        assert!(!before.iter().any(|e| e.contains("evil")), "{id} {shown}");
    }
}

#[test]
fn beginnings_of_documents() {
    use Restricted as R;
    let good = "<s xmlns='c'>";
    let rows: &[(&str, &[u8], Result<(), Error>)] = &[
        ("plain", b"", Ok(())),
        ("white space", b" \r\n", Ok(())),
        ("declared", b"<?xml version='1.0'?>\n", Ok(())),
        ("declared", b"<?xml version = \"1.0\"\tencoding='utf-8' standalone='yes' ?>", Ok(())),
        ("A-08", b"<?xml version='1.0' encoding='ISO-8859-1'?>", Err(Error::UnsupportedEncoding)),
        ("A-08", b"<\0?\0x\0", Err(Error::UnsupportedEncoding)),
        ("A-08", b"\0<\0?", Err(Error::UnsupportedEncoding)),
        ("A-08", b"\xFF\xFE<\0", Err(Error::UnsupportedEncoding)),
        ("A-08", b"\xFE\xFF\0<", Err(Error::UnsupportedEncoding)),
        ("A-08", b"\xEF\xBB\xBF", Err(Error::UnsupportedEncoding)),
        ("A-13", b"<?xml version='1.1'?>", Err(Error::Restricted(R::Version))),
        ("A-13", b"<?xml version='1.0' standalone='no'?>", Err(Error::Restricted(R::NotStandalone))),
        ("declaration", b"<?xml?>", Err(fault(Fault::XmlDeclaration))),
        ("declaration", b"<?xml version='1.0'>", Err(fault(Fault::XmlDeclaration))),
        ("declaration", b"<?xml encoding='utf-8'?>", Err(fault(Fault::XmlDeclaration))),
        ("declaration", b"<?xml version='1.0'encoding='utf-8'?>", Err(fault(Fault::XmlDeclaration))),
        ("declaration", b"<?xml version='1.0' x='y'?>", Err(fault(Fault::XmlDeclaration))),
        ("declaration", b"<?xml version='1.0' standalone='YES'?>", Err(fault(Fault::XmlDeclaration))),
        ("A-14", b" <?xml version='1.0'?>", Err(fault(Fault::XmlDeclaration))),
        ("A-14", b"<?xml version='1.0'?><?xml version='1.0'?>", Err(fault(Fault::XmlDeclaration))),
        ("A-04", b"<?xml-a?>", Err(Error::Restricted(R::ProcessingInstruction))),
        ("A-04", b"<?a?>", Err(Error::Restricted(R::ProcessingInstruction))),
        ("A-05", b"<!-- -->", Err(Error::Restricted(R::Comment))),
        ("A-01", b"<!DOCTYPE s>", Err(Error::Restricted(R::Declaration))),
        ("A-07", b"</s>", Err(fault(Fault::EndTag))),
        ("text", b"GET / HTTP/1.1\r\n", Err(Error::TextBetweenElements)),
    ];
    for (id, before, expected) in rows {
        let input = [*before, good.as_bytes()].concat();
        let (seen, verdict) = outcome(Framing::Stream, Limits::BEFORE_AUTH, &input);
        assert_eq!(verdict, *expected, "{id} {}", String::from_utf8_lossy(before));
        assert_eq!(seen.len(), usize::from(expected.is_ok()));
    }
}

fn header(input: &str) -> Header {
    match outcome(Framing::Stream, Limits::BEFORE_AUTH, input.as_bytes()) {
        (seen, Ok(())) => match seen.first() {
            Some(Seen::Header(header)) => header.clone(),
            _ => panic!("no header"),
        },
        (_, Err(error)) => panic!("{error}"),
    }
}

#[test]
fn headers_tell_what_the_stream_needs() {
    let h = header(
        "<?xml version='1.0'?><stream:stream from='a@x' to=\"x&amp;y\" version='1.0' xml:lang='de' \
                    xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                    xmlns:stream='http://etherx.jabber.org/streams' db:x='1'>",
    );
    assert_eq!((h.prefix(), h.name(), h.ns()), ("stream", "stream", "http://etherx.jabber.org/streams"));
    assert_eq!((h.content_ns(), h.lang(), h.version()), ("jabber:server", Some("de"), Some("1.0")));
    assert_eq!((h.attr("to"), h.attr("id")), (Some("x&y"), None));
    assert_eq!(h.attr_ns("jabber:server:dialback", "x"), Some("1"));
    assert!(h.declares("jabber:server:dialback") && !h.declares("jabber:server"));
    assert_eq!(h.prefix_of("jabber:server:dialback"), Some("db"));
    let h = header("<stream xmlns='http://etherx.jabber.org/streams'>");
    assert_eq!((h.prefix(), h.content_ns()), ("", h.ns()));
}

#[test]
fn streams_end_and_start_again() {
    let (seen, verdict) = outcome(Framing::Stream, Limits::CLIENT, b"<s:s xmlns:s='u'> <a/></s:s >\xFF<<");
    assert_eq!((seen.len(), seen.last(), verdict), (4, Some(&Seen::Close), Ok(())));
    let (seen, verdict) = outcome(Framing::Stream, Limits::CLIENT, b"<s/><evil/>");
    assert_eq!((seen.len(), seen.last(), verdict), (2, Some(&Seen::Close), Ok(())));

    let mut parser = Parser::new(Framing::Stream, Limits::BEFORE_AUTH);
    parser.push(b"<s xmlns='c' xmlns:p='u'><auth/><?xml version='1.0'?><s xmlns='e'><p:x/>");
    assert!(matches!(parser.next(), Ok(Some(Event::Header(_)))));
    assert!(matches!(parser.next(), Ok(Some(Event::Element(_)))));
    assert!(parser.unread().starts_with(b"<?xml") && !parser.is_idle());
    parser.restart();
    parser.set_limits(Limits::CLIENT);
    assert!(matches!(parser.next(), Ok(Some(Event::Header(h))) if h.content_ns() == "e"));
    assert_eq!(parser.next().err(), Some(Error::UndeclaredPrefix), "the first stream's prefix is gone");

    // go-xmpp writes a line feed after each element; the next stream begins with an XML declaration all the same.
    let mut parser = Parser::new(Framing::Stream, Limits::BEFORE_AUTH);
    parser.push(b"<s><auth/>");
    assert!(matches!(parser.next(), Ok(Some(Event::Header(_)))));
    assert!(matches!(parser.next(), Ok(Some(Event::Element(_)))));
    parser.restart();
    for piece in ["\n", " \n<?xml version='1.0'?>", "<s/>"] {
        parser.push(piece.as_bytes());
        let event = parser.next();
        assert!(event.is_ok(), "{piece:?} {event:?}");
    }
    let fresh = outcome(Framing::Stream, Limits::CLIENT, b"\n<?xml version='1.0'?><s/>");
    assert!(fresh.1.is_err(), "only where a document came before");
}

#[test]
fn documents_and_wrappers() {
    let frames = Framing::Documents("jabber:client");
    let canonical = |input: &str| match outcome(frames, Limits::CLIENT, input.as_bytes()) {
        (seen, Ok(())) => match &seen[..] {
            [Seen::Element(bytes, _)] => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => panic!("{seen:?}"),
        },
        (_, Err(error)) => panic!("{error}"),
    };
    assert_eq!(canonical("<iq xmlns='jabber:client'/>"), "<iq/>");
    assert_eq!(canonical("<?xml version='1.0'?><iq/>"), "<iq xmlns=''/>");
    assert_eq!(
        canonical("<stream:stream xmlns:stream='s' xmlns='jabber:client'><a/></stream:stream>"),
        "<stream xmlns='s'><a xmlns='jabber:client'/></stream>"
    );
    let rows: &[(&[u8], Error)] = &[
        (b"<a/><?xml version='1.0'?><b/>", fault(Fault::XmlDeclaration)),
        (b"</a>", fault(Fault::EndTag)),
        (b"<a xmlns:p='u'/><p:b/>", Error::UndeclaredPrefix),
        (b"<a/>x", Error::TextBetweenElements),
    ];
    for (input, error) in rows {
        assert_eq!(outcome(frames, Limits::CLIENT, input).1, Err(*error));
    }
    let body =
        "<body xmlns='http://jabber.org/protocol/httpbind' rid='1'><iq xmlns='jabber:client'/><x/></body>";
    let (seen, verdict) = outcome(Framing::Wrapper("jabber:client"), Limits::CLIENT, body.as_bytes());
    let bytes: Vec<_> =
        seen.iter().filter_map(|s| if let Seen::Element(b, _) = s { Some(&b[..]) } else { None }).collect();
    assert_eq!(
        (bytes, verdict),
        (vec![&b"<iq/>"[..], b"<x xmlns='http://jabber.org/protocol/httpbind'/>"], Ok(()))
    );
}

#[test]
fn limits_pass_at_the_limit_and_fail_one_past_it() {
    let n = |s: &str, n: usize| s.repeat(n);
    let attrs = |n: usize| (0..n).map(|i| format!(" a{i}=''")).collect::<String>();
    let decls = |n: usize| (0..n).map(|i| format!(" xmlns:p{i}='u'")).collect::<String>();
    let nested = |depth: usize| n("<a>", depth) + &n("</a>", depth);
    let in_scope =
        |n: usize| (0..n).map(|i| format!("<a xmlns:p{i}='u'>")).collect::<String>() + &"</a>".repeat(n);
    let small = Limits { attributes_total: 100, declarations_in_scope: 20, elements: 200, ..Limits::CLIENT };
    type Make<'a> = &'a dyn Fn(usize) -> String;
    let rows: &[(&str, Limit, usize, Make<'_>)] = &[
        ("A-26", Limit::Depth, 64, &nested),
        ("A-27", Limit::Attributes, 64, &|n| format!("<a{}/>", attrs(n))),
        ("A-27", Limit::AttributesTotal, 100, &|n| format!("<a{}><b{}/></a>", attrs(60), attrs(n - 60))),
        ("A-28", Limit::Declarations, 16, &|n| format!("<a{}/>", decls(n))),
        // Three of the twenty are those of the header.
        ("A-28", Limit::DeclarationsInScope, 17, &in_scope),
        ("A-29", Limit::Elements, 200, &|k| format!("<a>{}</a>", n("<b/>", k))),
        ("A-30", Limit::NameBytes, 256, &|k| format!("<{}/>", n("a", k))),
        ("A-30", Limit::NameBytes, 256, &|k| format!("<a p{}=''/>", n("a", k - 1))),
        ("A-30", Limit::AttributeBytes, 65_536, &|k| format!("<a b='{}'/>", n("x", k))),
        ("A-30", Limit::NamespaceBytes, 1_024, &|k| format!("<a xmlns='{}'/>", n("x", k))),
        ("A-34", Limit::ElementBytes, 262_144, &|k| format!("<a>{}</a>", n("x", k - 7))),
        ("A-35", Limit::ElementBytes, 262_144, &|k| {
            format!("<a>{}{}</a>", n("&lt;ü", 40_000), n("x", k - 240_007))
        }),
        ("A-33", Limit::ElementBytes, 262_144, &|k| format!("<a>x</a{}>", n(" ", k - 8))),
        ("A-33", Limit::ElementBytes, 262_144, &|k| format!("<a{}/>", n(" ", k - 4))),
        ("growth", Limit::CanonicalBytes, 1_048_576, &|k| {
            format!("<a>{}{}</a>", n("x", k % 5 + 3), n("&amp;", (k - 10) / 5))
        }),
    ];
    for (id, limit, most, make) in rows {
        let input = |n: usize| HEADER.to_owned() + &make(n);
        let pieces: &[&[usize]] = &[&[usize::MAX], &[1_000], &[1]];
        for pieces in pieces {
            let limits = if *limit == Limit::CanonicalBytes {
                Limits { element_bytes: u32::MAX, ..small }
            } else {
                small
            };
            let (seen, verdict) = observe(Framing::Stream, limits, input(*most).as_bytes(), pieces);
            assert_eq!((seen.len(), verdict), (2, Ok(())), "{id} {limit:?} {pieces:?}");
            let (_, verdict) = observe(Framing::Stream, limits, input(most + 1).as_bytes(), pieces);
            assert_eq!(verdict, Err(Error::LimitPassed(*limit)), "{id} {limit:?} {pieces:?}");
        }
    }
}

#[test]
fn limits_strike_before_the_end() {
    // Only a little is sent after the limit is passed, and nothing is ended.
    let rows = [
        (Limit::Depth, "<a>".repeat(9)),
        (Limit::Attributes, "<a".to_owned() + &(0..65).map(|i| format!(" b{i}=''")).collect::<String>()),
        (
            Limit::Declarations,
            "<a".to_owned() + &(0..17).map(|i| format!(" xmlns:b{i}='u'")).collect::<String>(),
        ),
        (Limit::Elements, "<a>".to_owned() + &"<b/>".repeat(33)),
        (Limit::NameBytes, "<".to_owned() + &"a".repeat(257)),
        (Limit::AttributeBytes, "<a b='".to_owned() + &"x".repeat(8_193)),
        (Limit::ElementBytes, "<a>".to_owned() + &"x".repeat(9_998)),
        (Limit::ElementBytes, "<a ".to_owned() + &" ".repeat(9_998)),
        (Limit::ElementBytes, "<a><![CDATA[".to_owned() + &"x".repeat(9_989)),
    ];
    for (limit, rest) in rows {
        let input = HEADER.to_owned() + &rest;
        let (_, verdict) = observe(Framing::Stream, Limits::BEFORE_AUTH, input.as_bytes(), &[1]);
        assert_eq!(verdict, Err(Error::LimitPassed(limit)));
        let input = &input[..input.len() - 1];
        let (_, verdict) = observe(Framing::Stream, Limits::BEFORE_AUTH, input.as_bytes(), &[1]);
        assert_eq!(verdict, Ok(()), "{limit:?}: all that is allowed has not been passed yet");
    }
    let input = "<s ".to_owned() + &" ".repeat(9_998);
    let verdict = observe(Framing::Stream, Limits::BEFORE_AUTH, input.as_bytes(), &[1]).1;
    assert_eq!(verdict, Err(Error::LimitPassed(Limit::HeaderBytes)));
}

#[test]
fn what_is_known_of_a_stanza_that_is_refused() {
    let mut parser = Parser::new(Framing::Stream, Limits::BEFORE_AUTH);
    parser.push(HEADER.as_bytes());
    parser.push(b"<iq id='a&amp;b' type='set'");
    assert!(matches!(parser.next(), Ok(Some(Event::Header(_)))));
    assert!(matches!(parser.next(), Ok(None)));
    assert!(parser.partial().is_none() && !parser.is_idle());
    parser.push(&[b">", "<b/>".repeat(33).as_bytes()].concat());
    assert_eq!(parser.next().err(), Some(Error::LimitPassed(Limit::Elements)));
    let partial = parser.partial().unwrap();
    assert_eq!((partial.name(), partial.is_content()), ("iq", true));
    assert_eq!((partial.attr("id").as_deref(), partial.attr("to")), (Some("a&b"), None));
}

#[test]
fn text_does_not_reach_over_markup() {
    let (elements, verdict) = elements(b"<a>]]</a><b>></b><a>\r</a><b>\n</b><c>]]<d/>></c><e>\r<d/>\n</e>");
    let expected =
        ["<a>]]</a>", "<b>&gt;</b>", "<a>\n</a>", "<b>\n</b>", "<c>]]<d/>&gt;</c>", "<e>\n<d/>\n</e>"];
    assert_eq!((elements, verdict), (expected.map(str::to_owned).to_vec(), Ok(())));
}

#[test]
fn keepalives_between_elements() {
    let (seen, verdict) = outcome(Framing::Stream, Limits::CLIENT, b"<s> <a/>\r\n\t<b/></s>");
    let spaces = seen.iter().filter(|s| **s == Seen::Whitespace).count();
    assert_eq!((spaces, seen.len(), verdict), (2, 6, Ok(())));
}

#[test]
fn a_connection_holds_a_small_parser() {
    assert!(size_of::<Parser>() <= 640, "{}", size_of::<Parser>());
}

#[test]
fn errors_name_their_stream_error_and_no_payload() {
    let rows = [
        (Error::NotWellFormed(Fault::Name), "not-well-formed"),
        (Error::BadUtf8, "not-well-formed"),
        (Error::UndeclaredPrefix, "not-well-formed"),
        (Error::Restricted(Restricted::Comment), "restricted-xml"),
        (Error::UnsupportedEncoding, "unsupported-encoding"),
        (Error::TextBetweenElements, "bad-format"),
        (Error::LimitPassed(Limit::Depth), "policy-violation"),
    ];
    for (error, condition) in rows {
        assert_eq!(error.condition(), condition);
        assert!(!error.to_string().is_empty());
    }
}
