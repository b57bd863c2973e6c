//! A Lambda function that fails as it is told: by the variable `START` before it is ready, by `"do":"…"` in its event after.
//! The Runtime API over a plain connection, no crates. Compiled by `tests/support/functions.rs`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio, abort, exit};
use std::time::Duration;

const PATH: &str = "/2018-06-01/runtime/invocation";

/// The connection to the Runtime API.
struct Api {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Api {
    fn connect() -> std::io::Result<Self> {
        let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(std::io::Error::other)?;
        let stream = BufReader::new(TcpStream::connect(&host)?);
        Ok(Api { host, stream })
    }

    /// The next invocation: its id and its event.
    fn next(&mut self) -> std::io::Result<(String, String)> {
        let host = self.host.clone();
        write!(self.stream.get_mut(), "GET {PATH}/next HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
        self.answer()
    }

    fn post(&mut self, id: &str, end: &str, body: &str) -> std::io::Result<()> {
        let head = format!("POST {PATH}/{id}/{end} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}", self.host, body.len());
        let kind = if end == "error" { "\r\nLambda-Runtime-Function-Error-Type: Unruly.Refused" } else { "" };
        write!(self.stream.get_mut(), "{head}{kind}\r\n\r\n{body}")?;
        self.answer().map(|_| ())
    }

    fn answer(&mut self) -> std::io::Result<(String, String)> {
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim().split_once(':') else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "lambda-runtime-aws-request-id" => id = value.trim().to_owned(),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((id, String::from_utf8_lossy(&body).into_owned()))
    }
}

fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn told(event: &str) -> &str {
    let (_, rest) = event.split_once("\"do\":\"").unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

/// A process that the function leaves behind.
fn leave(program: &str, args: &[&str]) {
    Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
}

fn main() -> std::io::Result<()> {
    match std::env::var("START").unwrap_or_default().as_str() {
        "exit" => exit(3),
        "panic" => panic!("cannot even begin"),
        "hang" => hang(),
        _ => {}
    }
    let mut api = Api::connect()?;
    loop {
        let Ok((id, event)) = api.next() else {
            // After an answer that was refused half-way the connection is closed.
            api = Api::connect()?;
            continue;
        };
        eprintln!("told to {}", told(&event));
        let mut body = format!("{{\"statusCode\":200,\"body\":\"process {}\"}}", std::process::id());
        match told(&event) {
            "panic" => panic!("everything is on fire"),
            "exit" => exit(7),
            "abort" => abort(),
            "hang" => hang(),
            "large" => body = format!("\"{}\"", "z".repeat(7 << 20)),
            "malformed" => body = "\"only text\"".into(),
            "leave" => {
                leave("sleep", &["3600"]);
                leave("setsid", &["sleep", "3600"]);
            }
            "error" => {
                let _ = api.post(&id, "error", "{\"errorMessage\":\"no\",\"errorType\":\"Unruly.Refused\"}");
                continue;
            }
            "chatty" => (0..300).for_each(|line| println!("line {line} of a call that has much to say")),
            "wait" => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
        let _ = api.post(&id, "response", &body);
        if told(&event) == "leave-after" {
            exit(0);
        }
    }
}
