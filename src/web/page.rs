//! The page, embedded in the program, and the login form.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Form, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;

use super::app::App;
use super::{looks, tag};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const LOGIN: &str = include_str!("page/login.html");

/// Where in the login form it is said why one is there again.
const MESSAGE: &str = "<!-- message -->";

/// After a wrong token, so that guessing takes its time.
const WRONG: Duration = Duration::from_millis(500);

/// Path, media type and content.
const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/assets/style.css", CSS, include_str!("page/style.css")),
    ("/assets/app.js", JS, include_str!("page/app.js")),
    ("/assets/feed.js", JS, include_str!("page/feed.js")),
    ("/assets/live.js", JS, include_str!("page/live.js")),
    ("/assets/login.js", JS, include_str!("page/login.js")),
    ("/assets/photo.js", JS, include_str!("page/photo.js")),
    ("/assets/webcam.js", JS, include_str!("page/webcam.js")),
    ("/assets/faces.js", JS, include_str!("page/faces.js")),
    ("/assets/worker.js", JS, include_str!("page/worker.js")),
    ("/assets/icon.svg", SVG, include_str!("page/icon.svg")),
    ("/manifest.webmanifest", "application/manifest+json", include_str!("page/manifest.webmanifest")),
];

pub fn routes() -> Router<Arc<App>> {
    let mut router = Router::new()
        .route("/login", get(login_form).post(login))
        .route("/logout", post(logout))
        .route("/favicon.ico", get(|| async { Redirect::permanent("/assets/icon.svg") }));
    for (path, kind, content) in FILES {
        router = router.route(path, file(kind, content));
    }
    router
        .route("/assets/emotions.css", file(CSS, looks::css()))
        .route("/assets/emotions.js", file(JS, looks::module()))
}

/// A file that a browser keeps and asks about.
fn file(kind: &'static str, content: impl Into<Bytes>) -> MethodRouter<Arc<App>> {
    let content = content.into();
    let tag = tag::of(&content);
    get(move |headers: HeaderMap| async move {
        let known = tag::is_known(&headers, &tag);
        let caching = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
        if known {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        (caching, [(CONTENT_TYPE, kind)], content).into_response()
    })
}

async fn login_form(State(app): State<Arc<App>>) -> Response {
    if app.access.token.is_none() {
        return Redirect::to("/").into_response();
    }
    Html(LOGIN).into_response()
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

async fn login(State(app): State<Arc<App>>, Form(login): Form<Login>) -> Response {
    let right = app.access.token.as_ref().is_none_or(|token| token.is(login.token.trim()));
    if right {
        return ([(SET_COOKIE, app.access.set_cookie(true))], Redirect::to("/")).into_response();
    }
    log::warn!("web: somebody tried to log in with a wrong token");
    tokio::time::sleep(WRONG).await;
    let message = r#"<p class="notice bad" role="alert">That is not the token. It is the content of the file that <code>web.token_file</code> names.</p>"#;
    (StatusCode::UNAUTHORIZED, Html(LOGIN.replace(MESSAGE, message))).into_response()
}

async fn logout(State(app): State<Arc<App>>) -> Response {
    ([(SET_COOKIE, app.access.set_cookie(false))], Redirect::to("/login")).into_response()
}
