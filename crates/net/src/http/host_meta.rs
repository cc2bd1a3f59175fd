//! Tells web clients where WebSocket and BOSH are.
//!
//! XEP-0156 version 1.4.0, RFC 6415.
//!
//! Not here: DNS records for other clients (documentation).

use std::fmt::Write;

use hyper::{Response, StatusCode};
use stanza::ns::{ALT_BOSH, ALT_WEBSOCKET};

use super::Web;
use super::reply::{Body, Reply, for_everyone};
use super::request::Asked;

/// `/.well-known/host-meta`
pub(crate) fn xml(asked: &Asked, web: &Web) -> Response<Body> {
    let mut text =
        "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n"
            .to_owned();
    answer(asked, web, "application/xrd+xml", |links| {
        for (rel, href) in links {
            let _ = writeln!(text, "  <Link rel='{rel}' href='{href}'/>");
        }
        text + "</XRD>\n"
    })
}

/// `/.well-known/host-meta.json`
pub(crate) fn json(asked: &Asked, web: &Web) -> Response<Body> {
    answer(asked, web, "application/json", |links| {
        let links: Vec<_> =
            links.iter().map(|(rel, href)| format!("{{\"rel\":\"{rel}\",\"href\":\"{href}\"}}")).collect();
        format!("{{\"links\":[{}]}}\n", links.join(","))
    })
}

type Links = [(&'static str, String)];

fn answer(
    asked: &Asked,
    web: &Web,
    content_type: &'static str,
    form: impl FnOnce(&Links) -> String,
) -> Response<Body> {
    let (config, http) = (&web.shared.config, web.shared.http.now());
    if !config.stream.now().domains.serves(asked.domain()) && http.public_url.is_none() {
        return Reply::plain(StatusCode::NOT_FOUND, "This host is not served here.\n");
    }
    let base = match &http.public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http{}://{}", if asked.https { "s" } else { "" }, asked.host),
    };
    let mut links = Vec::new();
    if let (Some(path), Some(rest)) = (&http.websocket, base.strip_prefix("http")) {
        links.push((ALT_WEBSOCKET, format!("ws{rest}{path}")));
    }
    if let Some(path) = &http.bosh {
        links.push((ALT_BOSH, format!("{base}{path}")));
    }
    let mut response = Reply::of(StatusCode::OK, content_type, form(&links));
    for_everyone(&mut response);
    super::reply::set(response.headers_mut(), hyper::header::CACHE_CONTROL, "max-age=3600");
    response
}
