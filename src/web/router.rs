//! What is where, and what every request goes through.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{self, Access};
use super::feed::Feed;
use super::metrics::Requests;
use super::photos::Photos;
use super::{api, classify, events, page, problem, stream};
use crate::base::clock;
use crate::config;
use crate::vocabulary::wire;

/// Until an answer begins; the photos before one's own in the queue included.
const ANSWER: Duration = Duration::from_secs(60);

/// Most bytes of a body that is no picture.
const SMALL_BODY: usize = 16 << 10;

/// What handlers need.
pub struct App {
    pub access: Access,
    pub feed: Arc<Feed>,
    pub photos: Photos,
    pub requests: Requests,
    pub limits: Limits,
    /// Turns true when the daemon stops.
    pub closed: watch::Receiver<bool>,
    /// The newest status as JSON, while somebody listens.
    pub newest: watch::Sender<Arc<str>>,
    /// Places for streams of events.
    pub listeners: Arc<Semaphore>,
    device: String,
    parts: Box<dyn Fn() -> (wire::Parts, wire::Details) + Send + Sync>,
    pub stats: Box<dyn Fn() -> wire::Stats + Send + Sync>,
    pub display: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
    pub enabled: Box<dyn Fn() -> bool + Send + Sync>,
    pub switch: Box<dyn Fn(bool) -> Result<(), String> + Send + Sync>,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_body: usize,
    /// Between two states in a stream of events.
    pub interval: Duration,
}

impl App {
    pub fn new(
        config: &config::Web,
        access: Access,
        feed: Arc<Feed>,
        photos: Photos,
        closed: watch::Receiver<bool>,
        links: super::Shown,
    ) -> Self {
        let limits =
            Limits { max_body: config.max_body, interval: Duration::from_secs(1) / config.live_fps.max(1) };
        let super::Shown { device, parts, stats, display, enabled, switch } = links;
        Self {
            access,
            feed,
            photos,
            requests: Requests::default(),
            limits,
            closed,
            newest: watch::Sender::new(Arc::from("")),
            listeners: Arc::new(Semaphore::new(config.max_viewers)),
            device,
            parts,
            stats,
            display,
            enabled,
            switch,
        }
    }

    /// All that is known now.
    pub fn status(&self) -> wire::Status {
        let now = self.feed.now();
        let (parts, details) = (self.parts)();
        wire::Status {
            state: now.state.unwrap_or_else(nothing_yet),
            device: self.device.clone(),
            version: env!("CARGO_PKG_VERSION"),
            enabled: (self.enabled)(),
            parts,
            details,
            frame: now.frame,
            fps: now.fps,
            latency_ms: now.latency,
        }
    }

    pub fn parts(&self) -> wire::Parts {
        (self.parts)().0
    }
}

/// Before the pipeline has said its first word.
fn nothing_yet() -> wire::State {
    let now = clock::rfc3339(Timestamp::now());
    wire::State {
        time: now.clone(),
        emotion: "none",
        confidence: 0.0,
        scores: wire::Scores::default(),
        faces: 0,
        primary: None,
        others: Vec::new(),
        since: now,
    }
}

/// Until the daemon stops.
pub async fn closed(mut closed: watch::Receiver<bool>) {
    // An error is the sender's end, which is the daemon's.
    let _ = closed.wait_for(|closed| *closed).await;
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "emotiond",
        description = "Faces before a camera and their emotion.\n\nWhere a token is configured, all but `/healthz` needs it: as bearer token, or as the cookie that `/login` sets. Errors are RFC 9457 problems that say what to do.",
    ),
    modifiers(&Tokens),
    security((), ("bearer" = []), ("cookie" = [])),
)]
struct Document;

struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("emotiond"));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// The routes of the API, and the document that is made from them.
fn api() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(api::state))
        .routes(routes!(api::timeline))
        .routes(routes!(api::history))
        .routes(routes!(events::events))
        .routes(routes!(api::snapshot))
        .routes(routes!(stream::stream))
        .routes(routes!(api::display))
        .routes(routes!(api::enabled, api::set_enabled))
        .routes(routes!(classify::classify))
        .routes(routes!(api::healthz))
        .routes(routes!(api::metrics))
        .split_for_parts()
}

/// Everything.
pub fn build(app: &Arc<App>) -> Router {
    let (api, document) = api();
    let document = document.to_json().expect("a document of names and numbers serialises");
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let guard = middleware::from_fn_with_state(Arc::clone(app), access::guard);
    let count = middleware::from_fn_with_state(Arc::clone(app), count);
    Router::new()
        .merge(api)
        .merge(page::routes())
        .route("/openapi.json", get(move || async move { (json, document) }))
        .layer(DefaultBodyLimit::max(SMALL_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER))
        .layer(guard)
        .layer(cors(&app.access))
        .layer(middleware::map_response(problem::unify))
        .layer(middleware::map_response(harden))
        .layer(count)
        .with_state(Arc::clone(app))
}

/// Other origins' pages must send the token; cookies are for the own page.
fn cors(access: &Access) -> CorsLayer {
    let origins = access.origins().iter().filter_map(|origin| origin.parse().ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::PUT, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .max_age(Duration::from_secs(3600))
}

/// What browsers are told to refuse.
async fn harden(mut response: Response) -> Response {
    const HEADERS: [(&str, &str); 6] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
             media-src 'self' blob:; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("permissions-policy", "camera=(self), microphone=(), geolocation=()"),
        ("x-content-type-options", "nosniff"),
        // With `no-referrer` browsers send the login form as from nowhere (`Origin: null`), which is refused.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Pictures and states are of now; the page's files say themselves how long they hold.
    headers.entry("cache-control").or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    app.requests.count(path.as_ref().map_or("other", MatchedPath::as_str), response.status().as_u16());
    response
}
