//! Doing what a rule asks for: an HTTP request, a command. Each ends within its time.

use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::time::timeout;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::base::process_group::{Group, Mark, PRIVATE};
use crate::base::secret::{Secret, SecretError};

/// Bytes of what a command says that go to the log.
const MOST_SAID: usize = 4096;

/// Between the signal that asks a command to end and the one that ends it.
const GRACE: Duration = Duration::from_secs(1);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error(transparent)]
    Token(#[from] SecretError),
    #[error("unable to post to {place}: {source}")]
    Post { place: String, source: Box<ureq::Error> },
    #[error("{place} answered {status}")]
    Refused { place: String, status: ureq::http::StatusCode },
    #[error("unable to run {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed: {status}")]
    Failed { program: String, status: ExitStatus },
    #[error("{program} took longer than {} s (limit_s) and was killed", limit.as_secs_f64())]
    TooLong { program: String, limit: Duration },
}

/// Makes requests; one for all.
pub fn agent() -> Agent {
    // The system's authorities, so that a house's own is known once the system knows it.
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier);
    Agent::config_builder()
        .tls_config(tls.build())
        .user_agent(concat!("emotiond/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // A redirected POST would be repeated as GET, without its body.
        .max_redirects(0)
        // Between two firings a server has long closed the connection.
        .max_idle_connections(0)
        .build()
        .into()
}

/// Posts JSON to `url`; anything but 2xx is an error. Blocks for at most `limit`.
pub fn post(
    agent: &Agent,
    url: &Secret,
    token_file: Option<&Path>,
    body: &[u8],
    limit: Duration,
) -> Result<(), ActionError> {
    let mut request = agent.post(url.reveal()).content_type("application/json");
    if let Some(path) = token_file {
        // Read each time, so that a changed one needs no reload.
        request = request.header("Authorization", format!("Bearer {}", token(path)?.reveal()));
    }
    let response = request
        .config()
        .timeout_global(Some(limit))
        .build()
        .send(body)
        .map_err(|source| ActionError::Post { place: url.to_string(), source: Box::new(source) })?;
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(ActionError::Refused { place: url.to_string(), status }) }
}

/// What stands in a token file.
///
/// # Errors
/// When it is no token: one line of printable ASCII without spaces.
pub fn token(path: &Path) -> Result<Secret, SecretError> {
    let token = Secret::read(path)?;
    if token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        let reason = "a token has no spaces and no letters beyond ASCII";
        Err(SecretError::Unusable { path: path.to_owned(), reason })
    }
}

/// Runs a program with `input` on its standard input; the first [`MOST_SAID`] bytes that it writes go to the log
/// under the name of `rule`. After `limit` it is ended together with what it has started. Dropped before, the same
/// happens at once.
pub async fn command(rule: &str, words: &[Secret], input: &[u8], limit: Duration) -> Result<(), ActionError> {
    let program = words.first().map_or("", Secret::reveal).to_owned();
    let failed = |source| ActionError::Start { program: program.clone(), source };
    let (said, ends) = said().map_err(failed)?;
    let mark = Mark::unique();
    let (name, value) = mark.variable();
    let mut command = Command::new(&program);
    command.args(words.iter().skip(1).map(Secret::reveal)).process_group(0).env(name, value);
    let [stdout, stderr] = ends;
    command.stdin(file(input).map_err(failed)?).stdout(stdout).stderr(stderr);
    PRIVATE.into_iter().for_each(|name| {
        command.env_remove(name);
    });
    let mut child = command.spawn().map_err(failed)?;
    // Its ends of the pipe, which would keep it open.
    drop(command);
    let listening = tokio::spawn(listen(said, rule.to_owned()));
    // Declared after the child, so dropped before it: the group's number is not free again yet.
    let group = Group::marked(child.id(), mark);
    let Ok(ended) = timeout(limit, child.wait()).await else {
        group.signal(Signal::TERM);
        tokio::time::sleep(GRACE).await;
        drop(group);
        let _ = child.wait().await;
        return Err(ActionError::TooLong { program, limit });
    };
    group.forget();
    // What it has started may write on, which is listened to without waiting for it.
    let _ = timeout(GRACE, listening).await;
    let status = ended.map_err(failed)?;
    if status.success() { Ok(()) } else { Err(ActionError::Failed { program, status }) }
}

/// A pipe to read from, and its other end twice.
fn said() -> io::Result<(Receiver, [Stdio; 2])> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let again = writer.try_clone()?;
    Ok((Receiver::from_owned_fd(reader.into())?, [writer.into(), again.into()]))
}

/// Logs what a rule's command says, up to a length, and takes the rest, so that it need not wait.
async fn listen(mut said: Receiver, rule: String) {
    let (mut line, mut room, mut left_out) = (Vec::new(), MOST_SAID, 0);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = said.read(&mut buffer).await {
        let kept = count.min(room);
        room -= kept;
        left_out += count - kept;
        line.extend_from_slice(&buffer[..kept]);
        if let Some(end) = line.iter().rposition(|byte| *byte == b'\n') {
            log_lines(&rule, &line[..end]);
            line.drain(..=end);
        }
    }
    log_lines(&rule, &line);
    if left_out > 0 {
        log::info!("rule {rule}: {left_out} bytes more that its command said are left out");
    }
}

fn log_lines(rule: &str, text: &[u8]) {
    for line in String::from_utf8_lossy(text).lines().filter(|line| !line.trim().is_empty()) {
        log::info!("rule {rule}: its command says: {line}");
    }
}

/// In memory instead of a pipe, so that a program that does not read makes nobody wait.
fn file(content: &[u8]) -> io::Result<Stdio> {
    let memory = rustix::fs::memfd_create("facts", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(memory);
    file.write_all(content)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}
