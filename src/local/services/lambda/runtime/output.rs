//! What a function's process prints. It is always read, so that a chatty process never blocks, and read once more at the
//! end of each invocation, so that its lines stand before END.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::log_stream::LogStream;
use crate::log_events::LONGEST_TEXT;
use crate::process::Child;

/// How often the end of an invocation reads at most, 16 KiB each time: no pipe holds more than a mebibyte, and who prints for ever
/// must not keep an answer waiting.
const READS: usize = 64;

/// Both pipes of one process.
pub(super) struct Output {
    pipes: Vec<Arc<Pipe>>,
    _readers: JoinSet<()>,
}

struct Pipe {
    receiver: Receiver,
    /// The beginning of a line. Who holds it reads; the lock is fair, so that an answer waits for one read at most.
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
    pub(super) async fn drain(&self) {
        for pipe in &self.pipes {
            let mut rest = pipe.rest.lock().await;
            // Past tokio's readiness, which may not have heard yet of what the process has just written.
            for _ in 0..READS {
                if pipe.read(&mut rest, |buffer| Ok(rustix::io::read(&pipe.receiver, buffer)?)) != Read::Some {
                    break;
                }
            }
            pipe.end_line(&mut rest);
        }
    }
}

/// What one read of a pipe found.
#[derive(PartialEq)]
enum Read {
    Some,
    Nothing,
    End,
}

async fn read(pipe: Arc<Pipe>) {
    while pipe.receiver.readable().await.is_ok() {
        if pipe.read(&mut *pipe.rest.lock().await, |buffer| pipe.receiver.try_read(buffer)) == Read::End {
            return;
        }
        // A pipe that is never empty is always readable: others have their turn all the same.
        tokio::task::yield_now().await;
    }
}

impl Pipe {
    fn read(&self, rest: &mut Vec<u8>, from: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> Read {
        let mut buffer = [0_u8; 16 * 1024];
        match from(&mut buffer) {
            Ok(0) => Read::End,
            Ok(count) => {
                rest.extend_from_slice(&buffer[..count]);
                self.take_lines(rest);
                Read::Some
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Read::Some,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Nothing,
            Err(_) => Read::End,
        }
    }

    fn take_lines(&self, rest: &mut Vec<u8>) {
        let mut from = 0;
        while let Some(length) = rest[from..].iter().position(|byte| *byte == b'\n') {
            self.log.line(String::from_utf8_lossy(&rest[from..from + length]));
            from += length + 1;
        }
        rest.drain(..from);
        if rest.len() >= LONGEST_TEXT {
            self.log.line(String::from_utf8_lossy(rest));
            rest.clear();
        }
    }

    fn end_line(&self, rest: &mut Vec<u8>) {
        if !rest.is_empty() {
            self.log.line(String::from_utf8_lossy(rest));
            rest.clear();
        }
    }
}
