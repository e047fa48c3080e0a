//! Why the page cannot start.

use std::io;
use std::path::PathBuf;

use crate::base::secret::SecretError;

use super::tls::{Doubt, PairError};

/// Why the part cannot start; all but [`WebError::Thread`] are mistakes in the configuration. An
/// address that is taken is none: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("web.token_file: {0}")]
    Token(SecretError),
    #[error(
        "unable to use {} (web.token_file): a token has at least 16 characters and no spaces (`openssl rand -hex 24` makes one)",
        path.display()
    )]
    WeakToken { path: PathBuf },
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A mistake for who looks, not for a daemon whose clock may not be set yet.
    #[error("unable to use web.tls_cert: {0}")]
    Outdated(Doubt),
    #[error("unable to start thread {name}: {source} (is the limit of threads or open files reached?)")]
    Thread { name: &'static str, source: io::Error },
}
