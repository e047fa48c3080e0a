//! Uploads: in whatever form they come.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::photos::{Answer, Upload, Wish};
use super::problem::Problem;
use crate::vocabulary::wire;

/// For the whole body: a phone on a bad network sends a photo in this time.
const RECEIVE: Duration = Duration::from_secs(30);

/// How the photo is answered.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// 1: the picture with the faces marked, as JPEG, instead of JSON.
    #[serde(default)]
    #[param(inline)]
    overlay: Flag,
    /// 1: the picture itself, upright and as PNG of at most 2048 pixels a side, instead of JSON.
    #[serde(default)]
    #[param(inline)]
    picture: Flag,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
enum Flag {
    #[default]
    #[serde(rename = "0", alias = "false")]
    No,
    #[serde(rename = "1", alias = "true")]
    Yes,
}

/// A form with one file, in a field of any name.
#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only: the form is read part by part")]
pub struct Form {
    /// A JPEG, PNG, WebP or GIF.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

/// A picture as text.
#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only: see photos.rs")]
pub struct Encoded {
    /// Base64, or a data URL.
    image: String,
}

/// Tells the faces of a photo. The largest body and picture are configured by `web.max_body_mb` and
/// `web.max_megapixels`.
#[utoipa::path(
    post,
    path = "/api/v1/classify",
    params(Options),
    request_body(content(
        (Vec<u8> = "image/jpeg"),
        (Vec<u8> = "image/png"),
        (Form = "multipart/form-data"),
        (Encoded = "application/json"),
    )),
    responses(
        (status = 200, content((wire::Picture = "application/json"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"))),
        (status = 413, description = "The body or the picture is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no picture.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The picture is damaged.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many photos are waiting; `Retry-After` says when to try again.", body = Problem, content_type = "application/problem+json"),
        (status = "default", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn classify(
    State(app): State<Arc<App>>,
    Query(options): Query<Options>,
    request: Request,
) -> Result<Response, Response> {
    let place = app.photos.place().map_err(IntoResponse::into_response)?;
    let upload =
        tokio::time::timeout(RECEIVE, receive(request, app.limits.max_body)).await.map_err(|_| {
            let detail = format!("the picture did not come within {} seconds", RECEIVE.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail, "send a smaller one, or over a faster network")
                .into_response()
        })??;
    let wish = match (options.picture, options.overlay) {
        (Flag::Yes, _) => Wish::Shown,
        (Flag::No, Flag::Yes) => Wish::Annotated,
        (Flag::No, Flag::No) => Wish::Faces,
    };
    match app.photos.classify(place, upload, wish).await {
        Ok(Answer::Faces(picture)) => Ok(Json(picture).into_response()),
        Ok(Answer::Picture(kind, bytes)) => Ok(([(CONTENT_TYPE, kind)], bytes).into_response()),
        Err(problem) => Err(problem.into_response()),
    }
}

async fn receive(mut request: Request, max_body: usize) -> Result<Upload, Response> {
    let kind = request.headers().get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap_or("?"));
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    DefaultBodyLimit::max(max_body).apply(&mut request);
    match kind.as_str() {
        "multipart/form-data" => form(request).await,
        "application/json" => bytes(request).await.map(Upload::Json),
        // What curl says of --data-binary unless told otherwise; the bytes themselves tell what they are.
        "" | "application/x-www-form-urlencoded" | "application/octet-stream" => file(request).await,
        kind if kind.starts_with("image/") => file(request).await,
        kind => {
            let remedy =
                "send a JPEG or PNG as body, as multipart field image, or as JSON {\"image\": \"<base64>\"}";
            let detail = format!("{kind:?} is no type that a photo is taken in");
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, remedy).into_response())
        }
    }
}

async fn file(request: Request) -> Result<Upload, Response> {
    Ok(Upload::File { bytes: bytes(request).await?, name: None })
}

async fn bytes(request: Request) -> Result<Bytes, Response> {
    Bytes::from_request(request, &()).await.map_err(IntoResponse::into_response)
}

/// The one part that is a file or is called `image` or `file`; others are passed over.
async fn form(request: Request) -> Result<Upload, Response> {
    let bad =
        |detail: &str, remedy: &str| Problem::new(StatusCode::BAD_REQUEST, detail, remedy).into_response();
    let mut form = Multipart::from_request(request, &()).await.map_err(IntoResponse::into_response)?;
    let mut found = None;
    while let Some(field) = form.next_field().await.map_err(IntoResponse::into_response)? {
        if field.file_name().is_none() && !matches!(field.name(), Some("image" | "file")) {
            continue;
        }
        if found.is_some() {
            return Err(bad("the form has more than one file", "send one picture a request"));
        }
        let name = field.file_name().filter(|name| !name.is_empty()).map(|name| {
            // What a browser sends is a name; what others send need not be.
            name.chars().filter(|c| !c.is_control()).take(200).collect()
        });
        let bytes = field.bytes().await.map_err(IntoResponse::into_response)?;
        found = Some(Upload::File { bytes, name });
    }
    found.ok_or_else(|| bad("the form has no file", "send the picture as multipart field image"))
}
