//! Passwords: argon2id with its authors' recommended cost, a salt of its own for each.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::Failure;

/// A password's hash, with all that is needed to check against it. Takes a while, on purpose.
pub(super) async fn hash(password: String) -> Result<String, Failure> {
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
    });
    Ok(hashed.await??)
}

/// Whether a password is the one that was hashed.
pub(super) async fn is_right(password: String, hash: String) -> bool {
    let checked = tokio::task::spawn_blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    });
    checked.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let kept = hash("correct horse".to_owned()).await.unwrap();
        assert!(is_right("correct horse".to_owned(), kept.clone()).await);
        assert!(!is_right("wrong horse".to_owned(), kept.clone()).await);
        assert!(!is_right("correct horse".to_owned(), "no hash".to_owned()).await);
        assert_ne!(kept, hash("correct horse".to_owned()).await.unwrap(), "each has a salt of its own");
    }
}
