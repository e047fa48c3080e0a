//! A pair that is served, and taken anew when its files change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use axum_server::tls_openssl::OpenSSLConfig;

use super::pair::{Pair, PairError};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(5);

/// Clones share what is served.
#[derive(Clone)]
pub struct Served {
    pub acceptor: OpenSSLConfig,
    cert: PathBuf,
    key: PathBuf,
}

impl Served {
    /// # Errors
    /// As [`Pair::read`].
    pub fn new(cert: PathBuf, key: PathBuf) -> Result<Self, PairError> {
        let pair = Pair::read(&cert, &key)?;
        tell(&pair);
        Ok(Self { acceptor: OpenSSLConfig::from_acceptor(pair.acceptor()), cert, key })
    }

    /// Reads the files again; what was served before stays when they cannot be used.
    ///
    /// # Errors
    /// As [`Pair::read`].
    pub fn reload(&self) -> Result<(), PairError> {
        let pair = Pair::read(&self.cert, &self.key)?;
        tell(&pair);
        self.acceptor.reload_from_acceptor(pair.acceptor());
        Ok(())
    }

    /// Takes over what a program such as certbot renews without telling anybody. It writes one file
    /// after the other: they are read when they have not changed since the look before.
    pub async fn follow(self) {
        let mut served = self.stamp();
        let mut before = served;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.stamp();
            if now == before && now != served {
                served = now;
                match self.reload() {
                    Ok(()) => log::info!("web: the renewed certificate is served"),
                    Err(error) => log::error!("web: the renewed certificate is not taken: {error}"),
                }
            }
            before = now;
        }
    }

    /// Tells whether the files are others than before.
    fn stamp(&self) -> [Option<(u64, u64, i64, i64)>; 2] {
        [&self.cert, &self.key].map(|path| {
            let data = fs::metadata(path).ok()?;
            Some((data.ino(), data.size(), data.mtime(), data.mtime_nsec()))
        })
    }
}

/// A device whose clock is not set yet must serve all the same: browsers say what they think of it.
fn tell(pair: &Pair) {
    if let Some(doubt) = pair.outdated() {
        log::warn!("web: {doubt}");
    }
}
