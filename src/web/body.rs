//! What clients send as JSON.

use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Reads a JSON object; what else it is, is a 400 with `remedy`.
pub fn object<T: DeserializeOwned>(json: &[u8], remedy: &str) -> Result<T, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail, remedy);
    // Serde would fill a struct from an array, too.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(bad("the body is no JSON object".to_owned()));
    }
    serde_json::from_slice(json).map_err(|error| bad(error.to_string()))
}
