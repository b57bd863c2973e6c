//! What a function's process prints. It is always read, so that a chatty process never blocks, and read once more at the
//! end of each invocation, so that its lines stand before END.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinSet;

use super::log_stream::LogStream;
use crate::process::Child;

/// A line longer than this is cut into several events.
const LONGEST: usize = 256 * 1024 - 26;

/// Both pipes of one process.
pub(super) struct Output {
    pipes: Vec<Arc<Pipe>>,
    _readers: JoinSet<()>,
}

struct Pipe {
    receiver: Receiver,
    rest: Mutex<Vec<u8>>,
    log: Arc<LogStream>,
}

impl Output {
    /// Takes the pipes of a child started with piped output.
    pub(super) fn of(child: &mut Child, log: &Arc<LogStream>) -> io::Result<Self> {
        let stdout = child.stdout.take().map(tokio::process::ChildStdout::into_owned_fd).transpose()?;
        let stderr = child.stderr.take().map(tokio::process::ChildStderr::into_owned_fd).transpose()?;
        let (mut pipes, mut readers) = (Vec::new(), JoinSet::new());
        for fd in [stdout, stderr].into_iter().flatten() {
            let fd: OwnedFd = fd;
            let receiver = Receiver::from_owned_fd(fd)?;
            let pipe = Arc::new(Pipe { receiver, rest: Mutex::default(), log: log.clone() });
            readers.spawn(read(pipe.clone()));
            pipes.push(pipe);
        }
        Ok(Output { pipes, _readers: readers })
    }

    /// Reads what has been printed so far; a line without an end counts as one.
    pub(super) fn drain(&self) {
        for pipe in &self.pipes {
            // Past tokio's readiness, which may not have heard yet of what the process has just written.
            pipe.read(|buffer| Ok(rustix::io::read(&pipe.receiver, buffer)?));
            pipe.end_line();
        }
    }
}

async fn read(pipe: Arc<Pipe>) {
    while pipe.receiver.readable().await.is_ok() && pipe.read(|buffer| pipe.receiver.try_read(buffer)) {}
}

impl Pipe {
    /// Reads until nothing is there; `false` at the end.
    fn read(&self, from: impl Fn(&mut [u8]) -> io::Result<usize>) -> bool {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0_u8; 16 * 1024];
        loop {
            match from(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    rest.extend_from_slice(&buffer[..count]);
                    self.take_lines(&mut rest);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    fn take_lines(&self, rest: &mut Vec<u8>) {
        let mut from = 0;
        while let Some(length) = rest[from..].iter().position(|byte| *byte == b'\n') {
            self.log.line(String::from_utf8_lossy(&rest[from..from + length]));
            from += length + 1;
        }
        rest.drain(..from);
        if rest.len() >= LONGEST {
            self.log.line(String::from_utf8_lossy(rest));
            rest.clear();
        }
    }

    fn end_line(&self) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if !rest.is_empty() {
            self.log.line(String::from_utf8_lossy(&rest));
            rest.clear();
        }
    }
}
