//! The page and the HTTP API.
//!
//! The daemon hands in what is to be shown as closures and a [`Feed`](crate::web::feed::Feed); three threads answer: `web` (a
//! small tokio runtime), `live` (encodes the live picture) and `photos` (uploads, with nets of its
//! own). None of them makes the pipeline wait.

mod access;
mod api;
mod app;
mod body;
mod classify;
mod error;
mod events;
pub mod feed;
mod guard;
pub mod live;
mod metrics;
mod page;
pub mod photos;
mod problem;
mod router;
mod server;
mod stream;
mod timeline;
pub mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::base::backoff::Backoff;
use crate::base::shutdown::Shutdown;
use crate::config;
use access::Access;
use app::App;
use feed::Feed;
use live::Live;
use photos::Classify;
use tls::{Pair, Served};

pub use app::Shown;
pub use error::WebError;

/// How often the thread shows that it lives and looks whether it shall end.
const TICK: Duration = Duration::from_millis(100);

/// Threads that compute for clients give way to the pipeline by so much (nice(2)).
const NICE: i32 = 5;

/// The daemon's end; clones share it.
#[derive(Clone)]
pub struct Web {
    pub feed: Arc<Feed>,
    tls: Option<Served>,
    beats: Arc<Beats>,
}

/// Counters that grow while the threads live.
#[derive(Debug, Default)]
struct Beats {
    web: AtomicU64,
    live: AtomicU64,
    photos: AtomicU64,
}

impl Web {
    /// What grows at least once a second while each thread is well.
    pub fn beats(&self) -> [(&'static str, u64); 3] {
        let Beats { web, live, photos } = &*self.beats;
        [("web", web), ("live", live), ("photos", photos)]
            .map(|(name, beats)| (name, beats.load(Ordering::Relaxed)))
    }

    /// Reads the certificate again; the old one stays when the new one cannot be used.
    pub fn reload_certificate(&self) -> Result<(), WebError> {
        Ok(self.tls.as_ref().map_or(Ok(()), Served::reload)?)
    }
}

/// Named threads, to be joined.
pub type Threads = Vec<(&'static str, JoinHandle<()>)>;

/// Starts the threads, which end within a second of `shutdown`. `None` when `config` names no
/// address.
///
/// # Errors
/// When a configured file cannot be read or used, or a thread not be started.
pub fn start(
    config: &config::Web,
    shown: Shown,
    classify: Classify,
    shutdown: Shutdown,
) -> Result<Option<(Web, Threads)>, WebError> {
    let Some(address) = config.listen else { return Ok(None) };
    let access = Access::new(config)?;
    let runtime = runtime()?;
    let tls = config.tls.clone().map(|(cert, key)| Served::new(cert, key)).transpose()?;
    let feed = Arc::new(Feed::new(Live::new(config.live_fps, config.max_viewers)));
    let web = Web { feed: Arc::clone(&feed), tls, beats: Arc::default() };
    let (photos, worker) = photos::queue(config.max_uploads, config.max_pixels, classify);
    let (closing, closed) = watch::channel(false);
    let app = Arc::new(App::new(config, access, Arc::clone(&feed), photos, closed, shown));

    let mut threads = Vec::new();
    let (beats, stop) = (Arc::clone(&web.beats), shutdown.clone());
    threads.push(spawn("live", move || {
        give_way();
        feed.live.run(&stop, &|| beat(&beats.live));
    })?);
    let (beats, stop) = (Arc::clone(&web.beats), shutdown.clone());
    threads.push(spawn("photos", move || {
        give_way();
        worker.run(&stop, &|| beat(&beats.photos));
    })?);
    let (beats, pair) = (Arc::clone(&web.beats), web.tls.clone());
    threads.push(spawn("web", move || {
        runtime.block_on(run(address, pair, app, closing, shutdown, &beats));
        runtime.shutdown_background();
    })?);
    Ok(Some((web, threads)))
}

/// Reads what [`start`] would read; answers with the certificate, if one is configured.
///
/// # Errors
/// As [`start`], and when the certificate is not valid now.
pub fn check(config: &config::Web) -> Result<Option<Pair>, WebError> {
    if config.listen.is_none() {
        return Ok(None);
    }
    Access::new(config)?;
    let pair = config.tls.as_ref().map(|(cert, key)| Pair::read(cert, key)).transpose()?;
    match pair.as_ref().and_then(Pair::outdated) {
        Some(doubt) => Err(WebError::Outdated(doubt)),
        None => Ok(pair),
    }
}

/// Binds, again and again while the address is taken or not there yet, and answers until shutdown.
async fn run(
    address: SocketAddr,
    tls: Option<Served>,
    app: Arc<App>,
    closing: watch::Sender<bool>,
    shutdown: Shutdown,
    beats: &Beats,
) {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let closed = app.closed.clone();
    let answer = async {
        let listener = bind(address).await;
        let own = listener.local_addr().unwrap_or(address);
        log::info!("web: listening on {scheme}://{own}/");
        let router = router::build(&app);
        tokio::spawn(events::publish(Arc::clone(&app)));
        let acceptor = tls.as_ref().map(|served| served.acceptor.clone());
        if let Some(served) = tls {
            tokio::spawn(served.follow());
        }
        server::serve(listener, acceptor, router, app::closed(closed)).await
    };
    let mut answer = std::pin::pin!(answer);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            ended = &mut answer => {
                if let Err(error) = ended {
                    log::error!("web: the server has ended: {error}");
                }
                return;
            }
            _ = tick.tick() => {
                beat(&beats.web);
                if shutdown.requested() {
                    closing.send_replace(true);
                    // Without a listener there is nothing to wait for.
                    let _ = tokio::time::timeout(server::FAREWELL * 2, &mut answer).await;
                    return;
                }
            }
        }
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
    let mut told = String::new();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    log::error!(
                        "web: unable to listen on {address}: {error} (another program may use it: set web.listen); trying again"
                    );
                    told = error;
                }
            }
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}

fn runtime() -> Result<Runtime, WebError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()
        .map_err(|source| WebError::Thread { name: "web", source })
}

fn spawn(
    name: &'static str,
    body: impl FnOnce() + Send + 'static,
) -> Result<(&'static str, JoinHandle<()>), WebError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(|thread| (name, thread)).map_err(|source| WebError::Thread { name, source })
}

/// On Linux a thread has a priority of its own.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        log::debug!("unable to lower a thread's priority: {error}");
    }
}

fn beat(beats: &AtomicU64) {
    beats.fetch_add(1, Ordering::Relaxed);
}
