//! Errors as RFC 9457 problem JSON that say what to do.

use axum::Json;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not answered (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// What went wrong with this request.
    detail: String,
    /// What to do.
    remedy: String,
    /// Seconds after which it may go better; `None` when somebody must do something first.
    #[serde(skip)]
    retry_after: Option<u32>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            remedy: remedy.into(),
            retry_after: None,
        }
    }

    /// 503, to be tried again `after` so many seconds, if that may help by itself.
    pub fn unavailable(after: Option<u32>, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { retry_after: after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail, remedy) }
    }

    /// 503, to be tried again soon.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::unavailable(Some(1), detail, "try again after a second")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, after) = (self.status, self.retry_after);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"emotiond\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Errors that the framework makes by itself (no such path, method, bad parameter, body too large)
/// become problems, too; their headers stay.
pub async fn unify(response: Response) -> Response {
    let status = response.status();
    let own = response.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(MEDIA_TYPE.as_bytes())
            || kind.starts_with(b"application/json")
            || kind.starts_with(b"text/html")
    });
    if own || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, 1000).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let (default, remedy) = match status {
        StatusCode::NOT_FOUND => ("there is nothing at this path", "see /openapi.json for what there is"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("this path does not take that method", "use one that the header Allow names")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ("the body is too large", "send a smaller picture, or raise web.max_body_mb")
        }
        StatusCode::REQUEST_TIMEOUT => ("the request did not come in time", "send it faster"),
        _ => ("the request was not understood", "see /openapi.json for what is expected"),
    };
    let detail = if text.is_empty() { default.to_owned() } else { text };
    let mut unified = Problem::new(status, detail, remedy).into_response();
    for (name, value) in &parts.headers {
        if *name != CONTENT_TYPE && *name != axum::http::header::CONTENT_LENGTH {
            unified.headers_mut().insert(name.clone(), value.clone());
        }
    }
    unified.map(Body::new)
}
