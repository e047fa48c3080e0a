//! The listener and its connections: how many, how slow.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum_server::accept::Accept;
use axum_server::tls_openssl::{OpenSSLAcceptor, OpenSSLConfig};
use axum_server::{Handle, Server};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutWriter;

/// Connections at once. Below the usual limit of 1,024 open files, and room for all viewers.
const CONNECTIONS: usize = 512;

/// For a request's head, and between two requests of a connection.
const HEAD: Duration = Duration::from_secs(15);

/// A client that takes nothing for so long has gone, or is too slow for a picture.
const WRITE: Duration = Duration::from_secs(10);

const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers in flight may end after shutdown was asked for.
pub const FAREWELL: Duration = Duration::from_millis(500);

/// Bytes that a connection holds back, here and in the kernel: a slow viewer shall see a new picture, not an old one.
const BUFFER: usize = 128 << 10;

/// Answers on `listener` until `stop` is ready.
pub async fn serve(
    listener: TcpListener,
    tls: Option<OpenSSLConfig>,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let handle = Handle::new();
    let control = handle.clone();
    tokio::spawn(async move {
        stop.await;
        control.graceful_shutdown(Some(FAREWELL));
    });
    let limit = Limit(Arc::new(Semaphore::new(CONNECTIONS)));
    let server = axum_server::from_tcp(listener)?.acceptor(limit).handle(handle);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        Some(config) => {
            let secure = |limit| OpenSSLAcceptor::new(config).handshake_timeout(HANDSHAKE).acceptor(limit);
            with_limits(server.map(secure)).serve(service).await
        }
        None => with_limits(server).serve(service).await,
    }
}

fn with_limits<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let mut server = server.http1_only().first_request_timeout(HEAD);
    server.http_builder().http1().header_read_timeout(HEAD).max_buf_size(BUFFER);
    server
}

/// Closes connections beyond the limit at once, and those whose client takes nothing after a while.
#[derive(Clone)]
struct Limit(Arc<Semaphore>);

type Accepted<S> = Pin<Box<dyn Future<Output = io::Result<(Guarded, S)>> + Send>>;

impl<S: Send + 'static> Accept<TcpStream, S> for Limit {
    type Stream = Guarded;
    type Service = S;
    type Future = Accepted<S>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = Arc::clone(&self.0).try_acquire_owned();
        Box::pin(async move {
            let place = place.map_err(|_| io::Error::other("too many connections"))?;
            set_up(&stream)?;
            let mut stream = TimeoutWriter::new(stream);
            stream.set_timeout(Some(WRITE));
            Ok((Guarded { stream: Box::pin(stream), _place: place }, service))
        })
    }
}

/// What is on its way is little, and a client that has gone without a word is noticed.
fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_send_buffer_size(stream, BUFFER)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, HEAD)?;
    sockopt::set_tcp_keepintvl(stream, HEAD)?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    Ok(())
}

/// A connection that holds its place.
struct Guarded {
    stream: Pin<Box<TimeoutWriter<TcpStream>>>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
