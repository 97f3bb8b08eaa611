//! An editor's messages, from stdin and to stdout.
//!
//! Knows: headers and lengths (the base protocol of LSP 3.17). Does not know: what is asked. lsp-server's own reader takes memory for
//! whatever length is announced; this one says no.

use std::io::{self, BufRead, Read, Write};
use std::thread::JoinHandle;

use lsp_server::{Connection, ErrorCode, Message};

/// No message of an editor is longer: the longest has the text of one file in it.
const BYTES_MAX: usize = 64 << 20;
/// Nor is a line of its header.
const HEADER_BYTES_MAX: u64 = 4 << 10;

/// Whoever carries messages in and out.
pub(super) struct Carriers {
    reader: JoinHandle<io::Result<()>>,
    writer: JoinHandle<io::Result<()>>,
}

/// What came with a header that says where it ends.
#[derive(Debug)]
enum Came {
    Message(Message),
    /// It is no message, and why. What follows may be one.
    Malformed(String),
}

/// A session's end, and who carries its messages. It ends with stdin, or with a header that does not say what follows.
pub(super) fn connect() -> (Connection, Carriers) {
    let (session, outside) = Connection::memory();
    let Connection { sender, receiver } = outside;
    let reader = std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        while let Some(came) = read(&mut stdin)? {
            let message = match came {
                Came::Message(message) => message,
                Came::Malformed(why) => {
                    refuse(&why)?;
                    continue;
                }
            };
            let is_last = matches!(&message, Message::Notification(notification) if notification.method == "exit");
            if sender.send(message).is_err() || is_last {
                break;
            }
        }
        Ok(())
    });
    let writer = std::thread::spawn(move || {
        receiver.into_iter().try_for_each(|message: Message| message.write(&mut io::stdout().lock()))
    });
    (session, Carriers { reader, writer })
}

impl Carriers {
    /// Waits until both have ended: when stdin has, and when nobody can send any more.
    pub(super) fn join(self) -> io::Result<()> {
        let ended = |thread: JoinHandle<io::Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended")))
        };
        let (read, written) = (ended(self.reader), ended(self.writer));
        read.and(written)
    }
}

fn wrong(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The answer to what cannot be read (JSON-RPC 2.0, section 5.1): nobody knows which request it was.
fn refuse(why: &str) -> io::Result<()> {
    let error = serde_json::json!({ "code": ErrorCode::ParseError as i32, "message": why });
    let answer = serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": error }).to_string();
    let mut stdout = io::stdout().lock();
    write!(stdout, "Content-Length: {}\r\n\r\n{answer}", answer.len())?;
    stdout.flush()
}

/// The next message; `None`: there is none any more.
fn read(input: &mut impl BufRead) -> io::Result<Option<Came>> {
    let Some(length) = read_header(input)? else { return Ok(None) };
    if length > BYTES_MAX {
        return Err(wrong(format!("a message of {length} bytes is announced; at most {BYTES_MAX} are read")));
    }
    let mut framed = Vec::new();
    write!(framed, "Content-Length: {length}\r\n\r\n")?;
    let announced = length as u64;
    if input.by_ref().take(announced).read_to_end(&mut framed)? as u64 != announced {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match Message::read(&mut framed.as_slice()) {
        Ok(message) => Ok(message.map(Came::Message)),
        Err(error) => Ok(Some(Came::Malformed(error.to_string()))),
    }
}

/// What the header says of the length.
fn read_header(input: &mut impl BufRead) -> io::Result<Option<usize>> {
    let (mut length, mut is_begun) = (None, false);
    loop {
        let mut line = String::new();
        let read = input.by_ref().take(HEADER_BYTES_MAX).read_line(&mut line)?;
        if read == 0 && !is_begun {
            return Ok(None);
        }
        if !line.ends_with('\n') {
            return Err(wrong("a header that does not end".to_owned()));
        }
        is_begun = true;
        let line = line.trim_end();
        if line.is_empty() {
            return length.map(Some).ok_or_else(|| wrong("a message without its Content-Length".to_owned()));
        }
        if let Some((name, value)) =
            line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"))
        {
            let value = value.trim().parse().map_err(|_| wrong(format!("{name} is no number: {}", value.trim())))?;
            length = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_checked_before_memory_is_taken() {
        let read = |text: &str| read(&mut text.as_bytes()).map_err(|error| error.to_string());
        let note = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let message = read(&format!("Content-Type: x\r\ncontent-length: {}\r\n\r\n{note}", note.len()));
        assert!(matches!(message, Ok(Some(Came::Message(Message::Notification(_))))), "{message:?}");
        assert!(matches!(read(""), Ok(None)));
        let malformed = read("Content-Length: 5\r\n\r\n{bad}");
        assert!(matches!(malformed, Ok(Some(Came::Malformed(_)))), "{malformed:?}");
        for (wrong, why) in [
            ("Content-Length: 99999999999999\r\n\r\n", "at most"),
            ("Content-Length: -1\r\n\r\n", "no number"),
            ("Content-Length: 99999999999999999999999\r\n\r\n", "no number"),
            ("Content-Length: 5\r\n\r\n{}", "unexpected end"),
            ("\r\n", "without its Content-Length"),
            ("garbage", "does not end"),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains(why), "{wrong:?}: {said}");
        }
        assert!(read(&"x".repeat(1 << 20)).is_err());
    }
}
