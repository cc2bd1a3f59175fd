//! Routes for those who watch the server: measures, whether it lives, whether it can serve.
//!
//! OpenMetrics 1.0.
//!
//! They are served on listeners of their own kind and nowhere else (I-38).
//!
//! Not here: what is told ([`crate::Monitor`]).

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::reply::{Body, Reply};
use super::{Web, only_get};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) async fn answer(web: &Web, request: &Request<Incoming>) -> Response<Body> {
    if let Some(refusal) = only_get(request) {
        return refusal;
    }
    let Some(monitor) = &web.shared.config.monitor else {
        return Reply::plain(StatusCode::NOT_FOUND, "Nothing is measured here.\n");
    };
    match request.uri().path() {
        "/metrics" => Reply::of(StatusCode::OK, OPEN_METRICS, monitor.metrics().await),
        // Whoever reads this has shown it.
        "/healthz" => Reply::plain(StatusCode::OK, "alive\n"),
        "/readyz" => match monitor.ready().await {
            Ok(()) => Reply::plain(StatusCode::OK, "ready\n"),
            Err(why) => Reply::of(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {why}\n")),
        },
        _ => Reply::plain(StatusCode::NOT_FOUND, "Here are /metrics, /healthz and /readyz.\n"),
    }
}
