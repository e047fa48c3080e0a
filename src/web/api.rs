//! State, pictures, switch, health and figures.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::body;
use super::live::Viewer;
use super::metrics;
use super::problem::Problem;
use super::tag;
use super::timeline::{self, Stretch};
use crate::tell::history;
use crate::vocabulary::wire;

/// A camera that streams delivers within this time.
const NEXT_FRAME: Duration = Duration::from_secs(2);

/// What is seen now, and how the parts are.
#[utoipa::path(
    get,
    path = "/api/v1/state",
    responses(
        (status = 200, body = wire::Status),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn state(State(app): State<Arc<App>>) -> Json<wire::Status> {
    Json(app.status())
}

/// The last minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// Seconds that it reaches back at most.
    span_s: u64,
    /// The oldest first, without gaps.
    stretches: Vec<Stretch>,
}

/// Which emotion was seen from when to when over the last minutes.
#[utoipa::path(
    get,
    path = "/api/v1/timeline",
    responses(
        (status = 200, body = Timeline),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn timeline(State(app): State<Arc<App>>) -> Json<Timeline> {
    Json(Timeline { span_s: timeline::SPAN_S, stretches: app.feed.timeline() })
}

/// How far back.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Span {
    /// 1 to 1440.
    #[serde(default = "an_hour")]
    #[param(default = 60, minimum = 1, maximum = 1440)]
    minutes: usize,
}

const fn an_hour() -> usize {
    60
}

/// For how long each emotion was seen, minute by minute.
#[utoipa::path(
    get,
    path = "/api/v1/history",
    params(Span),
    responses(
        (status = 200, body = wire::History),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn history(
    State(app): State<Arc<App>>,
    span: Result<Query<Span>, QueryRejection>,
) -> Result<Json<wire::History>, Problem> {
    let remedy = "ask for ?minutes=1 to ?minutes=1440";
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail, remedy);
    let Query(Span { minutes }) = span.map_err(|error| bad(error.body_text()))?;
    if !(1..=history::MINUTES).contains(&minutes) {
        return Err(bad(format!("{minutes} minutes are not kept")));
    }
    Ok(Json(app.feed.history(minutes)))
}

/// The camera's next picture.
#[utoipa::path(
    get,
    path = "/api/v1/snapshot.jpg",
    responses(
        (status = 200, body = Vec<u8>, content_type = "image/jpeg"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn snapshot(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let mut viewer = look(&app)?;
    let next = tokio::time::timeout(NEXT_FRAME, viewer.next()).await;
    let picture = next.ok().flatten().ok_or_else(|| no_picture(app.parts().camera.state))?;
    Ok(([(CONTENT_TYPE, "image/jpeg")], picture.jpeg.clone()).into_response())
}

/// A place at the live picture, while there is one.
///
/// # Errors
/// When the camera does not deliver, and when too many look.
pub fn look(app: &App) -> Result<Viewer, Problem> {
    match app.parts().camera.state {
        "streaming" => app.feed.live.look().ok_or_else(too_many),
        state => Err(no_picture(state)),
    }
}

/// What a camera in this state can do about it.
fn no_picture(state: &str) -> Problem {
    let (after, remedy) = match state {
        "off" => (None, "switch the camera on: PUT {\"enabled\": true} to /api/v1/enabled"),
        "ended" => (None, "restart the daemon to see the replay again"),
        // It is opened again ever more slowly, up to every 10 s.
        "lost" | "damaged" => (Some(10), "see details.camera in /api/v1/state"),
        _ => (Some(2), "try again in a moment"),
    };
    let detail = match state {
        "streaming" => "the camera has not sent a picture for two seconds".to_owned(),
        "damaged" => "there is no picture: the camera is sending damaged pictures".to_owned(),
        "ended" => "there is no picture: the replay has ended".to_owned(),
        _ => format!("there is no picture: the camera is {state}"),
    };
    Problem::unavailable(after, detail, remedy)
}

/// All places for viewers are taken.
pub fn too_many() -> Problem {
    Problem::busy("too many look already (web.max_viewers)")
}

/// The small display's picture, also without a panel.
#[utoipa::path(
    get,
    path = "/api/v1/display.png",
    responses(
        (status = 200, body = Vec<u8>, content_type = "image/png"),
        (status = 304, description = "The picture is the one that `If-None-Match` names."),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn display(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let png = (app.display)();
    let tag = tag::of(&png);
    let known = tag::is_known(&headers, &tag);
    let caching = [(CACHE_CONTROL, "no-cache".to_owned()), (ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, "image/png")], png).into_response()
}

/// Whether the camera may be read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    enabled: bool,
}

/// Whether the camera may be read.
#[utoipa::path(
    get,
    path = "/api/v1/enabled",
    responses(
        (status = 200, body = Switch),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn enabled(State(app): State<Arc<App>>) -> Json<Switch> {
    Json(Switch { enabled: (app.enabled)() })
}

/// Switches the camera off or on again. Off closes the device within a second and survives a restart.
#[utoipa::path(
    put,
    path = "/api/v1/enabled",
    request_body = Switch,
    responses(
        (status = 200, body = Switch),
        (status = 409, description = "The configuration file switches the camera off.", body = Problem, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn set_enabled(State(app): State<Arc<App>>, body: Bytes) -> Result<Json<Switch>, Problem> {
    let switch: Switch = body::object(&body, "send {\"enabled\": true} or {\"enabled\": false}")?;
    // It is written to disk, which may take a while on a card.
    let done = tokio::task::spawn_blocking(move || (app.switch)(switch.enabled)).await;
    match done {
        Ok(Ok(())) => Ok(Json(switch)),
        Ok(Err(forbidden)) => {
            let remedy = "set camera.enabled = true there and restart";
            Err(Problem::new(StatusCode::CONFLICT, forbidden.to_string(), remedy))
        }
        Err(_) => Err(Problem::busy("the daemon is stopping")),
    }
}

/// How the daemon is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `failing`.
    status: &'static str,
    parts: wire::Parts,
}

/// Whether every part is well, and if not, which is not. Needs no token.
#[utoipa::path(
    get,
    path = "/healthz",
    security(()),
    responses(
        (status = 200, body = Health),
        (status = 503, description = "A part is not well.", body = Health),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn healthz(State(app): State<Arc<App>>) -> (StatusCode, Json<Health>) {
    let parts = app.parts();
    let well = [&parts.camera, &parts.broker, &parts.display, &parts.pipeline].iter().all(|part| part.well);
    let (code, status) =
        if well { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failing") };
    (code, Json(Health { status, parts }))
}

/// Figures for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = metrics::text(&metrics::Figures {
        status: &app.status(),
        stats: &(app.stats)(),
        latencies: &app.feed.latencies(),
        requests: &app.requests,
        live_viewers: app.feed.live.viewers(),
        live_pictures: app.feed.live.encoded(),
    });
    ([(CONTENT_TYPE, metrics::MEDIA_TYPE)], text)
}
