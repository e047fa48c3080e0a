//! What every request is asked before it is answered.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, HOST};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::access::host_of;
use super::app::App;
use super::problem::Problem;

/// What is answered to everybody: no picture, nothing of what is seen.
fn is_public(path: &str) -> bool {
    matches!(path, "/healthz" | "/login" | "/favicon.ico" | "/manifest.webmanifest")
        || path.starts_with("/assets/")
}

/// Lets a request through to its handler, or not.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let access = &app.access;
    let authority = match authority(request.headers(), request.uri()) {
        Ok(authority) => authority,
        Err(problem) => return problem.into_response(),
    };
    if !access.knows_host(&authority) {
        let remedy = "call it by its address or host name, or add this name to web.allowed_hosts";
        let detail = format!("this device is not called {:?}", host_of(&authority));
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, detail, remedy).into_response();
    }
    if access.is_cross_site(&request, &authority) {
        let remedy = "open the device's own page, or add the other's origin to web.cors_origins";
        let detail = "the request comes from another site's page";
        return Problem::new(StatusCode::FORBIDDEN, detail, remedy).into_response();
    }
    if !is_public(request.uri().path()) && !access.lets_in(request.headers()) {
        let wants_page = request.uri().path() == "/"
            && request
                .headers()
                .get(ACCEPT)
                .is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
        if wants_page {
            return Redirect::to("/login").into_response();
        }
        let remedy = "send the header Authorization: Bearer TOKEN, or log in at /login";
        let detail = "the token is missing or wrong";
        return Problem::new(StatusCode::UNAUTHORIZED, detail, remedy).into_response();
    }
    next.run(request).await
}

/// The one host that the request is for.
fn authority(headers: &HeaderMap, uri: &Uri) -> Result<String, Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_owned),
        // HTTP/2 and proxies' absolute form.
        (None, _) => uri.authority().map(|authority| authority.as_str().to_owned()),
        _ => None,
    };
    host.ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "not exactly one Host header", "send the header Host once")
    })
}
