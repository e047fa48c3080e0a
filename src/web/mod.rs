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
mod looks;
mod metrics;
mod page;
pub mod photos;
mod problem;
mod router;
mod server;
mod stream;
mod tag;
mod timeline;
pub mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::base::backoff::Backoff;
use crate::base::part::{Part, Pulse};
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
}

impl Web {
    /// Reads the certificate again; the old one stays when the new one cannot be used.
    pub fn reload_certificate(&self) -> Result<(), WebError> {
        Ok(self.tls.as_ref().map_or(Ok(()), Served::reload)?)
    }
}

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
) -> Result<Option<(Web, Vec<Part>)>, WebError> {
    let Some(address) = config.listen else { return Ok(None) };
    let access = Access::new(config)?;
    let runtime = runtime()?;
    let tls = config.tls.clone().map(|(cert, key)| Served::new(cert, key)).transpose()?;
    let feed = Arc::new(Feed::new(Live::new(config.live_fps, config.max_viewers)));
    let web = Web { feed: Arc::clone(&feed), tls };
    let (photos, worker) = photos::queue(config.max_uploads, config.max_pixels, classify);
    let (closing, closed) = watch::channel(false);
    let app = Arc::new(App::new(config, access, Arc::clone(&feed), photos, closed, shown));

    let stop = shutdown.clone();
    let live = spawn("live", move |pulse| {
        give_way();
        feed.live.run(&stop, pulse);
    })?;
    let stop = shutdown.clone();
    let photos = spawn("photos", move |pulse| {
        give_way();
        worker.run(&stop, pulse);
    })?;
    let pair = web.tls.clone();
    let answers = spawn("web", move |pulse| {
        runtime.block_on(run(address, pair, app, closing, shutdown, pulse));
        runtime.shutdown_background();
    })?;
    Ok(Some((web, vec![live, photos, answers])))
}

/// Reads what [`start`] would read; answers with the certificate, if one is configured.
///
/// # Errors
/// With all that keeps [`start`] from starting, and when the certificate is not valid now.
pub fn check(config: &config::Web) -> Result<Option<Pair>, Vec<WebError>> {
    if config.listen.is_none() {
        return Ok(None);
    }
    let pair = config.tls.as_ref().map(|(cert, key)| Pair::read(cert, key)).transpose();
    let pair = pair.map_err(WebError::from).and_then(|pair| match pair.as_ref().and_then(Pair::outdated) {
        Some(doubt) => Err(WebError::Outdated(doubt)),
        None => Ok(pair),
    });
    match (Access::new(config), pair) {
        (Ok(_), Ok(pair)) => Ok(pair),
        (access, pair) => Err(access.err().into_iter().chain(pair.err()).collect()),
    }
}

/// Binds, again and again while the address is taken or not there yet, and answers until shutdown.
async fn run(
    address: SocketAddr,
    tls: Option<Served>,
    app: Arc<App>,
    closing: watch::Sender<bool>,
    shutdown: Shutdown,
    pulse: &Pulse,
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
                pulse.beat();
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

fn spawn(name: &'static str, body: impl FnOnce(&Pulse) + Send + 'static) -> Result<Part, WebError> {
    Part::spawn(name, body).map_err(|source| WebError::Thread { name, source })
}

/// On Linux a thread has a priority of its own.
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        log::debug!("unable to lower a thread's priority: {error}");
    }
}
