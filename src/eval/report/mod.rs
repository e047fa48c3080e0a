//! `--report DIR`: a page with plots, and all figures as JSON.

mod page;
mod plots;

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::summary::Details;

const PAGE: &str = "report.html";
const FIGURES: &str = "metrics.json";

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("unable to write report {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("unable to write report {}: it is no folder", path.display())]
    NotAFolder { path: PathBuf },
    #[error("unable to write report {}: it exists (--force replaces it)", path.display())]
    Exists { path: PathBuf },
    #[error("unable to draw the report's plots: {0}")]
    Draw(String),
}

/// A folder that a report may be written to.
#[derive(Debug)]
pub struct Target {
    folder: PathBuf,
    /// Where the files are made before they get their names: on the same file system.
    staging: PathBuf,
    /// The folder appears with its files in it.
    fresh: bool,
}

impl Target {
    /// Checks before the work what would fail after it.
    pub fn new(folder: &Path, force: bool) -> Result<Self, ReportError> {
        let failed = |source| ReportError::Write { path: folder.to_owned(), source };
        let fresh = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(ReportError::NotAFolder { path: folder.to_owned() });
            }
            Err(error) => return Err(failed(error)),
        };
        if let Some(path) =
            [PAGE, FIGURES].map(|name| folder.join(name)).into_iter().find(|path| path.exists())
            && !force
        {
            return Err(ReportError::Exists { path });
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let staging = if fresh { parent.unwrap_or(Path::new(".")) } else { folder };
        fs::create_dir_all(staging).and_then(|()| tempfile::tempfile_in(staging)).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), staging: staging.to_owned(), fresh })
    }

    /// Draws and writes the report, whole or not at all.
    pub fn write(&self, details: &Details) -> Result<(), ReportError> {
        let page = page::html(details).map_err(|error| ReportError::Draw(error.to_string()))?;
        let write = || -> io::Result<()> {
            let figures = serde_json::to_string_pretty(details)?;
            self.place(&[(PAGE, &page), (FIGURES, &format!("{figures}\n"))])
        };
        write().map_err(|source| ReportError::Write { path: self.folder.clone(), source })
    }

    fn place(&self, files: &[(&str, &str)]) -> io::Result<()> {
        // The umask applies, as for any file that a user makes.
        let staging = tempfile::Builder::new()
            .prefix(".emotiond-report-")
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&self.staging)?;
        for (name, content) in files {
            let mut file = File::create(staging.path().join(name))?;
            file.write_all(content.as_bytes())?;
            file.sync_all()?;
        }
        if self.fresh {
            // Onto a folder that is absent or empty.
            fs::rename(staging.path(), &self.folder)?;
            let _ = staging.keep();
        } else {
            for (name, _) in files {
                fs::rename(staging.path().join(name), self.folder.join(name))?;
            }
        }
        File::open(&self.staging)?.sync_all()
    }
}
