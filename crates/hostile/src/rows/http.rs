//! Group I, second part: HTTP itself, files, pages.
//!
//! RFC 9110, RFC 9112, XEP-0363.
//!
//! Not here: WebSocket and BOSH (`web.rs`).

use super::rooms::Guest;
use super::web::{http, https, status};
use crate::Outcome;
use crate::client::{Offer, PATIENCE, Socket, Transport};
use crate::row::{On, Row};
use crate::stage::Stage;

/// Of these rows the way of the XMPP stream makes no difference.
const ONCE: On = On::Only(Transport::WebSocket);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = heads();
    rows.extend(files());
    rows
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{headers}\r\n")
}

fn each(row: Row, requests: Vec<String>, wanted: &'static [u16]) -> Row {
    requests
        .into_iter()
        .fold(row, |row, request| row.script(ONCE, move |stage| status(&http(stage, &request)?, wanted)))
}

const POST: &str = "POST /http-bind HTTP/1.1\r\nHost: a.example\r\n";

fn heads() -> Vec<Row> {
    vec![
        smuggling(),
        Row::new("I-22", "a client that speaks only HTTP/2", "no agreement").script(ONCE, only_http2),
        Row::new("I-23", "a head that does not end; a body that does not come", "408 or the end after 10 s")
            .whole()
            .budget(800, 2_048)
            .script(ONCE, slow),
        hosts(),
        Row::new(
            "I-35",
            "a page of another origin, of `null`, asks with credentials",
            "never allowed with credentials",
        )
        .script(ONCE, foreign_pages),
        public(),
        Row::new(
            "I-46",
            "a password in an address, a name of a file, a header",
            "not in the log, not in the answer",
        )
        .script(ONCE, secrets),
        Row::new("I-50", "markup in what pages show: the path, the host, a token", "none of it comes back")
            .script(ONCE, markup),
    ]
}

fn smuggling() -> Row {
    let head = POST;
    let smuggled = [
        format!(
            "{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        ),
        format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        format!("{head}Content-Length: +1\r\n\r\nx"),
        format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("{head}X: a\r\n b\r\n\r\n"),
        format!("{head}X : a\r\n\r\n"),
        format!("{head}X: a\0b\r\n\r\n"),
    ];
    smuggled.into_iter().fold(
        Row::new(
            "I-21",
            "two lengths, a length and chunks, unknown codings, folded and odd headers",
            "400, or answered by its chunks; nothing after it is read",
        ),
        |row, request| {
            row.script(ONCE, move |stage| {
                let answer = http(stage, &request)?;
                let answers = answer.matches("HTTP/1.1 ").count();
                if answers > 1 {
                    return Err(format!("{answers} answers: {answer}"));
                }
                // RFC 9112 section 6.3: chunks count where there are both, and the connection ends.
                let closed = answer.contains("connection: close");
                status(&answer, if closed { &[0, 200, 400, 411, 501] } else { &[0, 400, 411, 501] })
            })
        },
    )
}

fn only_http2(stage: &Stage<'_>) -> Outcome {
    let mut socket = Socket::connect(stage.from, stage.server.target.https)?;
    let offer = Offer { alpn: vec![b"h2"], ..Offer::of("a.example") };
    if socket.secure(&offer).is_err() {
        return Ok(());
    }
    socket.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let seen = socket.rest(PATIENCE)?;
    if seen.is_empty() || seen.starts_with(b"HTTP/1.1 4") { Ok(()) } else { Err(format!("{seen:?}")) }
}

fn slow(stage: &Stage<'_>) -> Outcome {
    for begin in [format!("{POST}X: "), format!("{POST}Content-Length: 100\r\n\r\n<body")] {
        let mut socket = https(stage)?;
        socket.write(begin.as_bytes());
        let seen = String::from_utf8_lossy(&socket.rest(PATIENCE)?).into_owned();
        status(&seen, &[0, 408])?;
    }
    Ok(())
}

fn hosts() -> Row {
    each(
        Row::new(
            "I-24",
            "no host, two, a strange one; absolute form; %00; paths of all kinds",
            "400, 404, 421",
        ),
        ["\r\n", "Host: a.example\r\nHost: b.example\r\n\r\n", "Host: a'><x>\r\n\r\n", "Host: \0\r\n\r\n"]
            .into_iter()
            .map(|rest| format!("GET / HTTP/1.1\r\nConnection: close\r\n{rest}"))
            .chain(
                [
                    "/%00",
                    "//",
                    "/..",
                    "/%2e%2e/etc/passwd",
                    "/http-bind/../x",
                    "/\\x",
                    "/.well-known/host-meta%00",
                    "/*",
                ]
                .map(|path| get(path, "")),
            )
            .chain([get("/.well-known/host-meta", "").replace("a.example", "nobody.example")])
            .collect(),
        &[0, 400, 404, 405, 421],
    )
}

fn foreign_pages(stage: &Stage<'_>) -> Outcome {
    for (method, path) in
        [("OPTIONS", "/http-bind"), ("GET", "/.well-known/host-meta"), ("OPTIONS", "/upload/a/b/c")]
    {
        for origin in ["null", "https://evil.example"] {
            let answer = http(
                stage,
                get(
                    path,
                    &format!("Origin: {origin}\r\nCookie: a=b\r\nAccess-Control-Request-Method: POST\r\n"),
                )
                .replacen("GET", method, 1),
            )?;
            if answer.to_ascii_lowercase().contains("allow-credentials") {
                return Err(format!("{path} {origin}: {answer}"));
            }
        }
    }
    Ok(())
}

fn public() -> Row {
    each(
        Row::new("I-38", "measures, health, administration on the ports for the public", "404"),
        [
            "/metrics",
            "/healthz",
            "/readyz",
            "/admin",
            "/api",
            "/api/",
            "/debug/pprof/",
            "/status",
            "/.env",
            "/server-status",
        ]
        .map(|path| get(path, ""))
        .into(),
        &[404],
    )
}

fn secrets(stage: &Stage<'_>) -> Outcome {
    for path in [
        "/?password=hostile-payload",
        "/upload/hostile-payload/x",
        "/invite/hostile-payload",
        "/http-bind?token=hostile-payload",
    ] {
        let answer = http(stage, get(path, "Authorization: Basic hostile-payload\r\n"))?;
        if answer.contains("hostile-payload") {
            return Err(format!("{path}: {answer}"));
        }
    }
    Ok(())
}

fn markup(stage: &Stage<'_>) -> Outcome {
    let mark = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        format!("/invite/{mark}"),
        format!("/{mark}"),
        format!("/invite/?t={mark}"),
        "/invite/<script>".into(),
        "/invite/\"><b>".into(),
    ] {
        let answer = http(stage, get(&path, ""))?;
        if answer.contains("<script>alert") || answer.contains("\"><b>") {
            return Err(format!("{path}: {answer}"));
        }
    }
    Ok(())
}

/// A slot: the paths to put it to and to get it from.
fn slot(guest: &mut Guest, name: &str, size: u64, kind: &str) -> Outcome<Result<(String, String), String>> {
    let request = format!(
        "<request xmlns='urn:xmpp:http:upload:0' filename='{name}' size='{size}' content-type='{kind}'/>"
    );
    let answer = guest.ask("get", "a.example", &request)?;
    let path = |tag: &str| {
        let (_, rest) = answer.split_once(&format!("<{tag} url='"))?;
        let (_, rest) = rest.split('\'').next()?.split_once("://")?;
        rest.split_once('/').map(|(_, path)| format!("/{path}"))
    };
    Ok(path("put").zip(path("get")).ok_or(answer))
}

fn put(path: &str, headers: &str, body: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{headers}\r\n{body}")
}

fn sized(path: &str, body: &str, kind: &str) -> String {
    put(path, &format!("Content-Length: {}\r\nContent-Type: {kind}\r\n", body.len()), body)
}

fn files() -> Vec<Row> {
    vec![
        Row::new("I-26", "a file without a slot, to another's, with a wrong secret, twice", "403, 404, 409")
            .script(ONCE, slots),
        Row::new(
            "I-27",
            "a body that is longer, shorter, without a length, in pieces",
            "411, 413, 400; the file is never there",
        )
        .script(ONCE, bodies),
        Row::new(
            "I-28",
            "more slots than the account has room for, and more than may wait",
            "ST resource-constraint",
        )
        .budget(200, 1_024)
        .script(On::All, quota),
        each(
            Row::new("I-29", "files by paths with .., %2e, %2f, backslashes, %00, absolute ones", "404"),
            [
                "/upload/../detente.toml",
                "/upload/..%2f..%2fdetente.toml",
                "/upload/%2e%2e/%2e%2e/server.key",
                "/upload/x/..\\..\\server.key",
                "/upload//etc/passwd",
                "/upload/x/%00",
                "/upload/CON/nul",
                "/upload/",
                "/upload",
            ]
            .map(|path| get(path, ""))
            .into(),
            &[400, 404],
        ),
        Row::new(
            "I-30",
            "files of HTML, SVG, XML, JavaScript, PDF, of no type, of odd ones",
            "saved, not shown; nosniff, a policy that allows nothing",
        )
        .budget(200, 1_024)
        .script(ONCE, types),
        Row::new("I-31", "a thousand ranges, ranges beyond the end, upside down", "one range or none; 416")
            .script(ONCE, ranges),
        Row::new(
            "I-32",
            "names of files with line ends, quotes, controls, 1,000 bytes, types with line ends",
            "no header is made of it, or ST bad-request",
        )
        .script(On::All, names),
        Row::new("I-34", "a file after its account was removed", "404").script(ONCE, removed),
        Row::new("I-36", "32 addresses of files", "different, each with 128 bits at least")
            .script(ONCE, guesses),
    ]
}

fn guest_and_slot(stage: &Stage<'_>, name: &str, size: u64, kind: &str) -> Outcome<(Guest, String, String)> {
    let mut guest = Guest::new(stage)?;
    let (to, from) = slot(&mut guest, name, size, kind)??;
    Ok((guest, to, from))
}

fn slots(stage: &Stage<'_>) -> Outcome {
    let (_guest, to, from) = guest_and_slot(stage, "a.txt", 5, "text/plain")?;
    let parts: Vec<&str> = to.split('/').collect();
    let [_, _, token, secret, name] = parts[..] else { return Err(format!("another form: {to}")) };
    for path in [
        format!("/upload/{token}/{name}"),
        format!("/upload/{token}/wrong/{name}"),
        format!("/upload/other/{secret}/{name}"),
        format!("/upload/{token}/{secret}/b.txt"),
    ] {
        status(&http(stage, sized(&path, "hello", "text/plain"))?, &[403, 404])?;
    }
    status(&http(stage, get(&from, ""))?, &[404])?;
    status(&http(stage, sized(&to, "hello", "text/plain"))?, &[201])?;
    status(&http(stage, sized(&to, "other", "text/plain"))?, &[403, 404, 409])?;
    let got = http(stage, get(&from, ""))?;
    if got.ends_with("hello") { Ok(()) } else { Err(got) }
}

fn bodies(stage: &Stage<'_>) -> Outcome {
    let (_guest, to, from) = guest_and_slot(stage, "a.txt", 5, "text/plain")?;
    status(&http(stage, sized(&to, "hello and more", "text/plain"))?, &[400, 413])?;
    status(&http(stage, sized(&to, "hi", "text/plain"))?, &[400, 413])?;
    status(&http(stage, put(&to, "Content-Type: text/plain\r\n", ""))?, &[400, 411])?;
    status(
        &http(stage, put(&to, "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"))?,
        &[400, 411],
    )?;
    // Half of it, and gone.
    let mut half = https(stage)?;
    half.write(put(&to, "Content-Length: 5\r\nContent-Type: text/plain\r\n", "he").as_bytes());
    half.half_close();
    let _ = half.rest(PATIENCE);
    status(&http(stage, get(&from, ""))?, &[404])
}

fn quota(stage: &Stage<'_>) -> Outcome {
    let mut guest = Guest::new(stage)?;
    // 50 MiB each, 500 MiB in a day.
    for n in 0..12 {
        if let Err(answer) = slot(&mut guest, "a.bin", 50 << 20, "application/octet-stream")? {
            return if n == 10 && answer.contains("<resource-constraint") {
                Ok(())
            } else {
                Err(format!("{n}: {answer}"))
            };
        }
    }
    Err("600 MiB in a day".into())
}

fn types(stage: &Stage<'_>) -> Outcome {
    for kind in [
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "application/pdf",
        "image/svg+xml;x",
        "",
        "x/y",
    ] {
        let body = "<script>alert(1)</script>";
        let (_guest, to, from) = guest_and_slot(stage, "a.html", body.len() as u64, kind)?;
        status(&http(stage, sized(&to, body, kind))?, &[201])?;
        let got = http(stage, get(&from, ""))?.to_ascii_lowercase();
        for header in [
            "content-disposition: attachment",
            "x-content-type-options: nosniff",
            "default-src 'none'",
            "sandbox",
        ] {
            if !got.contains(header) {
                return Err(format!("{kind}: no {header:?} in {got}"));
            }
        }
    }
    Ok(())
}

fn ranges(stage: &Stage<'_>) -> Outcome {
    let (_guest, to, from) = guest_and_slot(stage, "a.txt", 5, "text/plain")?;
    status(&http(stage, sized(&to, "hello", "text/plain"))?, &[201])?;
    let many: Vec<String> = (0..1_000).map(|n| format!("{n}-{n}")).collect();
    for range in [
        many.join(","),
        "0-0,2-2".into(),
        "5-9".into(),
        "4-2".into(),
        "99999999999999999999-".into(),
        "-0".into(),
        "x".into(),
    ] {
        let got = http(stage, get(&from, &format!("Range: bytes={range}\r\n")))?;
        status(&got, &[200, 206, 400, 416])?;
        if got.contains("multipart/byteranges") {
            return Err(got);
        }
    }
    Ok(())
}

fn names(stage: &Stage<'_>) -> Outcome {
    let mut guest = Guest::new(stage)?;
    let long = "n".repeat(1_000);
    for name in [
        "a&#13;&#10;X-Evil: 1.txt",
        "a&#10;b",
        "a&quot;; filename=evil.exe",
        "..",
        "/",
        "a/../../b",
        "\u{202e}gpj.exe",
        &long,
        "",
    ] {
        match slot(&mut guest, name, 5, "text/plain")? {
            Err(answer) if answer.contains("type='error'") => {}
            Err(answer) => return Err(answer),
            Ok((to, from)) => {
                let odd = |path: &str| path.contains(['\r', '\n', '"', ' ', '\\']) || path.contains("/../");
                if odd(&to) || odd(&from) {
                    return Err(format!("{name:?}: {to} {from}"));
                }
            }
        }
    }
    match slot(&mut guest, "a.txt", 5, "text/plain&#13;&#10;X-Evil: 1")? {
        Err(_) => Ok(()),
        Ok((_, from)) => {
            let got = http(stage, get(&from, ""))?;
            if got.contains("X-Evil") { Err(got) } else { Ok(()) }
        }
    }
}

fn removed(stage: &Stage<'_>) -> Outcome {
    let (guest, to, from) = guest_and_slot(stage, "a.txt", 5, "text/plain")?;
    status(&http(stage, sized(&to, "hello", "text/plain"))?, &[201])?;
    stage.server.administer("user remove", &guest.bare(), None)?;
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let got = http(stage, get(&from, ""))?;
        match status(&got, &[404]) {
            Ok(()) => return Ok(()),
            Err(fault) if std::time::Instant::now() > until => return Err(fault),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    }
}

fn guesses(stage: &Stage<'_>) -> Outcome {
    let mut guest = Guest::new(stage)?;
    let mut all = std::collections::HashSet::new();
    for _ in 0..32 {
        let (to, from) = slot(&mut guest, "a.txt", 5, "text/plain")??;
        let token = from.split('/').nth(2).unwrap_or_default().to_owned();
        // Six bits in a character at most. Whoever knows where to get it does not know where to put it.
        if token.len() < 22 || to.len() < from.len() + 22 || !all.insert(token) {
            return Err(format!("{to} {from}"));
        }
    }
    Ok(())
}
