//! Names of files in what the program says: each as it is where it can be, and always its own.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The path for JSON and CSV. One that is not UTF-8 has its other bytes as `\xff` and its backslashes
/// doubled, so that two files never get one name.
pub fn source(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut name = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        name += &chunk.valid().replace('\\', "\\\\");
        for byte in chunk.invalid() {
            name += &format!("\\x{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn names_stay_distinct() {
        let name = |bytes: &[u8]| source(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(name("häuser/a\\b.jpg".as_bytes()), "häuser/a\\b.jpg");
        assert_eq!(name(b"a\xff\\b.jpg"), "a\\xff\\\\b.jpg");
        assert_ne!(name(b"\xfe.jpg"), name(b"\xff.jpg"));
    }
}
