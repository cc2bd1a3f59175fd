//! The log: lines on standard error, written by a thread of its own, so that a full disk or a reader that does not read
//! never stops the service.
//!
//! What cannot be written is left out; what does not fit into the queue is counted, and the count is a line of its own
//! when there is room again.
//!
//! Not here: what is logged, and the level's syntax (`serve`).

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written.
const LINES_MAX: usize = 8_192;
/// At the end of the program, for what still waits.
const FLUSH_MAX: Duration = Duration::from_millis(500);

enum Line {
    Text(Vec<u8>),
    /// Says that everything before has been written.
    End(SyncSender<()>),
}

/// Where the log's lines go. Clones write to the same place.
#[derive(Clone)]
pub(crate) struct Log {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

/// Waits at its end, for a while, until what was logged is written.
pub(crate) struct Flush(SyncSender<Line>);

impl Log {
    /// A log on standard error.
    pub(crate) fn start(json: bool) -> io::Result<(Log, Flush)> {
        Log::to(io::stderr(), json)
    }

    fn to(out: impl Write + Send + 'static, json: bool) -> io::Result<(Log, Flush)> {
        let (lines, waiting) = sync_channel(LINES_MAX);
        let lost = Arc::<AtomicU64>::default();
        let log = Log { lines: lines.clone(), lost: lost.clone() };
        thread::Builder::new().name("log".into()).spawn(move || write_lines(out, &waiting, &lost, json))?;
        Ok((log, Flush(lines)))
    }
}

/// Errors are nobody's who could do something: the next line may work again.
fn write_lines(mut out: impl Write, waiting: &Receiver<Line>, lost: &AtomicU64, json: bool) {
    while let Ok(line) = waiting.recv() {
        match line {
            Line::Text(text) => {
                let _ = out.write_all(&text);
            }
            Line::End(done) => {
                let _ = done.send(());
            }
        }
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            let text = format!("{count} lines of the log are lost: nobody took them in time");
            let _ = match json {
                true => writeln!(out, r#"{{"level":"WARN","fields":{{"message":"{text}"}}}}"#),
                false => writeln!(out, " WARN {text}"),
            };
        }
    }
}

impl Write for Log {
    /// One call is one line.
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self.lines.try_send(Line::Text(text.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, wait) = sync_channel(1);
        // If even that does not fit, nobody reads.
        if self.0.try_send(Line::End(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What was written; while it is locked, writing blocks.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_for_who_reads() {
        let slow = Slow::default();
        let (mut log, flush) = Log::to(slow.clone(), false).unwrap();
        let stuck = slow.0.lock().unwrap();
        for n in 0..LINES_MAX + 100 {
            // One call for each line, as the subscriber does.
            log.make_writer().write_all(format!("{n}\n").as_bytes()).unwrap();
        }
        // One may be on its way; the others beyond the queue are lost.
        let lost = log.lost.load(Ordering::Relaxed);
        assert!((99..=100).contains(&lost), "{lost}");
        drop(stuck);
        // What was kept, and the word about what was lost: then the queue is empty.
        let lines = LINES_MAX + 100 - lost as usize + 1;
        while slow.0.lock().unwrap().iter().filter(|byte| **byte == b'\n').count() < lines {
            thread::yield_now();
        }
        log.write_all(b"the end\n").unwrap();
        drop(flush);
        let text = String::from_utf8(slow.0.lock().unwrap().clone()).unwrap();
        assert!(
            text.starts_with("0\n") && text.contains("\n1\n2\n") && text.ends_with("the end\n"),
            "{text}"
        );
        assert!(text.contains(&format!("{lost} lines of the log are lost")));
    }

    #[test]
    fn a_full_disk_is_nobodys_error() {
        let (mut log, flush) = Log::to(Full, true).unwrap();
        log.write_all(b"line\n").unwrap();
        drop(flush);
        assert_eq!(log.lost.load(Ordering::Relaxed), 0);
    }
}
