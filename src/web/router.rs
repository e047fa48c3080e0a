//! What is where, and what every request goes through.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Access;
use super::app::App;
use super::guard;
use super::{api, classify, events, page, problem, stream};

/// Until an answer begins; the photos before one's own in the queue included.
const ANSWER: Duration = Duration::from_secs(60);

/// Fewer bytes fit a packet as they are.
const WORTH: u64 = 1400;

/// Most bytes of a body that is no picture.
const SMALL_BODY: usize = 16 << 10;

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
    let guard = middleware::from_fn_with_state(Arc::clone(app), guard::guard);
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
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(WORTH).and(is_text)))
        .layer(count)
        .with_state(Arc::clone(app))
}

/// Pictures are compressed already, and a stream must not wait for more.
fn is_text(status: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let text = [
        "text/",
        "application/json",
        "application/problem+json",
        "application/manifest+json",
        "image/svg+xml",
    ];
    status != StatusCode::NOT_MODIFIED
        && text.iter().any(|text| kind.starts_with(text))
        && !kind.starts_with("text/event-stream")
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
