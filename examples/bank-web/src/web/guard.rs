//! What is checked of every request, and who a browser is.
//!
//! Knows: headers. Does not know: what is asked for.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Browser, Problem, Web};

/// The cookie that a browser is known by.
const COOKIE: &str = "bank_web";

/// Nothing but our own files runs in a page, and no page of elsewhere frames it.
const POLICY: &str =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Turns away what a page of elsewhere made the browser send, and seals what goes back.
pub(super) async fn check(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && is_foreign(request.headers()) {
        return Problem::new(StatusCode::FORBIDDEN, "only pages of this server may ask for that").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether a page of another origin sent it. Programs that are no browsers say no origin.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("http://") != Some(host),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// The value of our cookie.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// Makes a browser known by `token`; an empty one makes it forget.
pub(super) fn set_cookie(token: &str) -> [(header::HeaderName, String); 1] {
    let age = if token.is_empty() { 0 } else { 30 * 24 * 3_600 };
    [(header::SET_COOKIE, format!("{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict"))]
}

/// Who the browser of a request is.
pub(super) async fn browser(web: &Web, headers: &HeaderMap) -> Result<Browser, Problem> {
    let unknown = || Problem::new(StatusCode::UNAUTHORIZED, "sign in first");
    let token = token(headers).ok_or_else(unknown)?;
    let sign_in = web.node.signed_in(&token).await?.ok_or_else(unknown)?;
    Ok(Browser { app: sign_in.app, user: sign_in.user.clone(), sign_in })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_pages_of_this_server_and_programs_may_post() {
        let host = (header::HOST, "127.0.0.1:8081");
        assert!(!is_foreign(&headers(std::slice::from_ref(&host))));
        assert!(!is_foreign(&headers(&[host.clone(), (header::ORIGIN, "http://127.0.0.1:8081")])));
        for foreign in ["http://127.0.0.1:9999", "http://elsewhere.example", "null"] {
            assert!(is_foreign(&headers(&[host.clone(), (header::ORIGIN, foreign)])), "{foreign}");
        }
    }

    #[test]
    fn token_is_found_among_other_cookies() {
        let sent = headers(&[(header::COOKIE, "a=1; bank_web=abc; c=2")]);
        assert_eq!(token(&sent).as_deref(), Some("abc"));
        assert_eq!(token(&headers(&[(header::COOKIE, "bank_webb=abc")])), None);
    }
}
