//! A Lambda function that answers `{}`: the Runtime API over one plain connection, no crates. Compiled by `aws.rs`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

fn answer(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "lambda-runtime-aws-request-id" => id = Some(value.trim().to_owned()),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    Ok(id)
}

fn main() -> std::io::Result<()> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect(&api)?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let path = "/2018-06-01/runtime/invocation";
    loop {
        write!(stream, "GET {path}/next HTTP/1.1\r\nHost: {api}\r\n\r\n")?;
        if let Some(id) = answer(&mut reader)? {
            write!(stream, "POST {path}/{id}/response HTTP/1.1\r\nHost: {api}\r\nContent-Length: 2\r\n\r\n{{}}")?;
            answer(&mut reader)?;
        }
    }
}
