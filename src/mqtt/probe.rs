//! What answers where a broker was expected, for one who has written down the wrong port.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For one question and its answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A request that every HTTP server answers, and no broker takes for a packet.
const HTTP: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// A handshake record with an empty ClientHello, which TLS servers answer with an alert (RFC 8446, 5.1 and 6).
const CLIENT_HELLO: &[u8] = &[22, 3, 1, 0, 4, 1, 0, 0, 0];

/// How an alert begins.
const ALERT: u8 = 21;

/// Who answers there, if it can be told.
pub async fn who_answers(host: &str, port: u16) -> Option<&'static str> {
    if ask(host, port, HTTP).await.starts_with(b"HTTP/") {
        return Some("an HTTP server answers there, no broker (check the port in mqtt.url)");
    }
    (ask(host, port, CLIENT_HELLO).await.first() == Some(&ALERT))
        .then_some("the port speaks TLS (write mqtts:// in mqtt.url)")
}

/// The beginning of the answer to `question`; empty where none comes.
async fn ask(host: &str, port: u16, question: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; 5];
    let asking = async {
        let mut stream = TcpStream::connect((host, port)).await?;
        stream.write_all(question).await?;
        stream.read(&mut answer).await
    };
    let length = match timeout(PATIENCE, asking).await {
        Ok(Ok(length)) => length,
        _ => 0,
    };
    answer.truncate(length);
    answer
}
