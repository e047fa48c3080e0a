//! Entity tags: whether a client has what it would be sent (RFC 9110, 8.8.3 and 13.1.2).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use axum::http::HeaderMap;
use axum::http::header::IF_NONE_MATCH;

/// The tag of `content`. Weak, since it may be sent compressed and not.
pub fn of(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("W/\"{:016x}\"", hasher.finish())
}

/// Whether one of the tags that the client has is `tag`, strong or weak.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let strength = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .any(|known| known.trim() == "*" || strength(known) == strength(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_form_of_the_tag_is_known() {
        let tag = of(b"x");
        let strong = tag.trim_start_matches("W/").to_owned();
        let with = |value: &str| {
            let value = value.parse().expect("header");
            is_known(&HeaderMap::from_iter([(IF_NONE_MATCH, value)]), &tag)
        };
        let known = [
            tag.clone(),
            strong.clone(),
            format!("\"a\", {tag}"),
            format!("W/\"a\",{strong} , \"b\""),
            "*".to_owned(),
        ];
        for value in known {
            assert!(with(&value), "{value}");
        }
        for value in ["", "\"a\"", "W/\"a\", \"b\"", "W/"] {
            assert!(!with(value), "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}
