//! A small client of HTTP servers on this machine: for simulated browsers, and for driving real ones.
//!
//! Knows: requests, answers, event streams. Does not know: what is asked. One connection for each request: whoever is asked may be killed.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Failure;

/// What an HTTP server on this machine answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200, hopefully.
    pub status: StatusCode,
    /// The value of the cookie that it set, with its name.
    pub cookie: Option<String>,
    /// The body, if it is JSON; `null` otherwise.
    pub body: Value,
}

/// Asks once. `at` is `HOST:PORT`.
///
/// # Errors
/// Nobody answers within `within`, or what comes is no HTTP.
pub async fn ask(
    at: &str,
    method: Method,
    path: &str,
    cookie: &str,
    body: Option<&Value>,
    within: Duration,
) -> Result<Answer, Failure> {
    let asked = async {
        let response = send(at, method, path, cookie, body).await?;
        let status = response.status();
        let cookie = response.headers().get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|value| value.split(';').next()).map(str::to_owned);
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, cookie, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    };
    tokio::time::timeout(within, asked).await.map_err(|_| format!("{at}{path} does not answer"))?
}

async fn send(
    at: &str,
    method: Method,
    path: &str,
    cookie: &str,
    body: Option<&Value>,
) -> Result<Response<Incoming>, Failure> {
    let stream = TcpStream::connect(at).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // How it ended is seen in the answer.
        let _ = connection.await;
    });
    let text = body.map(Value::to_string).unwrap_or_default();
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, at);
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    Ok(sender.send_request(request.body(Full::new(Bytes::from(text)))?).await?)
}

/// A stream of events, as a page's `EventSource` has it.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    unread: Vec<u8>,
}

impl Events {
    /// Opens the stream.
    ///
    /// # Errors
    /// Nobody answers, or says no.
    pub async fn open(at: &str, path: &str, cookie: &str) -> Result<Self, Failure> {
        let response = send(at, Method::GET, path, cookie, None).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("{at}{path} answers {}", response.status()).into());
        }
        Ok(Self { body: response.into_body(), unread: Vec::new() })
    }

    /// The next event: its name and its data.
    ///
    /// # Errors
    /// The stream has ended.
    pub async fn next(&mut self) -> Result<(String, Value), Failure> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.unread.split_off(end + 2);
                let event = std::mem::replace(&mut self.unread, rest);
                if let Some(event) = parse(&String::from_utf8_lossy(&event)) {
                    return Ok(event);
                }
                continue;
            }
            let frame = self.body.frame().await.ok_or("the stream has ended")??;
            if let Some(data) = frame.data_ref() {
                self.unread.extend_from_slice(data);
            }
        }
    }
}

/// `None`: a comment, sent as a sign of life.
fn parse(event: &str) -> Option<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_a_name_and_data_and_comments_are_none() {
        let parsed = parse("event: bank\ndata: {\"linked\":true}\n\n").unwrap();
        assert_eq!(parsed, ("bank".to_owned(), serde_json::json!({ "linked": true })));
        assert_eq!(parse(":\n\n"), None);
    }
}
