//! Files that may be compressed, read as a stream: plain, gzip, xz or the one file in a zip.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::dataset::DatasetError;

/// What the first bytes of a compressed file are: gzip (RFC 1952, 2.3.1), xz (its format, 2.1.1.1), zip
/// (APPNOTE 4.3.7). The name may say otherwise.
const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZIP: &[u8] = b"PK\x03\x04";

/// Hands the content of `path` to `use_it`, decompressed where need be.
pub fn with_reader<T>(
    path: &Path,
    use_it: impl FnOnce(&mut dyn Read) -> Result<T, DatasetError>,
) -> Result<T, DatasetError> {
    let failed = |source| DatasetError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut start = Vec::new();
    file.by_ref().take(XZ.len() as u64).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    if start.is_empty() {
        let reason = "the file is empty (copy it again)".to_owned();
        return Err(DatasetError::File { path: path.to_owned(), reason });
    }
    if start.starts_with(GZIP) {
        use_it(&mut flate2::read::MultiGzDecoder::new(file))
    } else if start.starts_with(XZ) {
        use_it(&mut liblzma::read::XzDecoder::new_multi_decoder(file))
    } else if start.starts_with(ZIP) {
        let damaged = |error| DatasetError::File {
            path: path.to_owned(),
            reason: format!("damaged or cut short: {error} (copy it again)"),
        };
        let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
        let name = only_csv(&archive)
            .map_err(|error| DatasetError::File { path: path.to_owned(), reason: error.to_string() })?;
        let mut entry = archive.by_name(&name).map_err(damaged)?;
        use_it(&mut entry)
    } else {
        use_it(&mut file)
    }
}

/// Which of a zip's files is the dataset cannot be told.
#[derive(Debug, thiserror::Error)]
enum ZipError {
    #[error("the zip holds no CSV")]
    None,
    #[error("the zip holds several CSVs: {} (unpack the one to use)", .0.join(", "))]
    Several(Vec<String>),
}

fn only_csv<R: Read + Seek>(archive: &zip::ZipArchive<R>) -> Result<String, ZipError> {
    let is_csv = |name: &&str| name.to_ascii_lowercase().ends_with(".csv") && !name.starts_with("__MACOSX");
    let names: Vec<&str> = archive.file_names().filter(is_csv).collect();
    match names[..] {
        [name] => Ok(name.to_owned()),
        [] => Err(ZipError::None),
        _ => Err(ZipError::Several(names.into_iter().map(str::to_owned).collect())),
    }
}
