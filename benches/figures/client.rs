//! A client of an API over one kept connection, with as little work of its own as can be.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A connection to an API.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    address: String,
    /// Before the path of each request, without a slash at its end.
    base: String,
}

impl Client {
    /// `url`: `http://HOST:PORT/PATH`, as `ApiUrl` has it.
    pub(crate) async fn connect(url: &str) -> Self {
        let (address, base) = url.trim_start_matches("http://").split_once('/').unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let base = format!("/{}", base.trim_end_matches('/'));
        Client { stream: BufReader::new(stream), address: address.to_owned(), base }
    }

    /// Sends JSON and waits for the 200.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Duration {
        let Client { address, base, .. } = self;
        let head = format!("POST {base}{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json");
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let begun = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).await.unwrap();
        let status = self.answer().await;
        let took = begun.elapsed();
        assert_eq!(status, "200");
        took
    }

    /// Reads one answer; its status.
    async fn answer(&mut self) -> String {
        let (mut status, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).await.unwrap() > 0, "the connection ended");
            if status.is_empty() {
                status = line.split(' ').nth(1).unwrap().to_owned();
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                let mut body = vec![0; length];
                self.stream.read_exact(&mut body).await.unwrap();
                return status;
            }
        }
    }
}
