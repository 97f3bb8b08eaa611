//! What makes texts of a checked model: Rust, JSON, HTML, and whatever comes next.
//!
//! Knows: the interface. Does not know: syntax, spans, disks. Another language is one more module that implements [`Backend`].

use crate::codegen::Settings;
use crate::model::Model;
use crate::output::{self, Generated, Result};

/// A kind of output.
pub trait Backend {
    /// The files that it makes of a model, in order. Equal models give equal texts.
    ///
    /// # Errors
    /// The model has something that this kind of output cannot say.
    fn generate(&self, model: &Model) -> Result<Vec<Generated>>;
}

/// Rust stubs: one file for each package that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Rust {
    /// Their form.
    pub settings: Settings,
}

impl Backend for Rust {
    fn generate(&self, model: &Model) -> Result<Vec<Generated>> {
        output::generate(model, &self.settings)
    }
}

/// The model as one JSON document: see `docs/schema.md`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schema;

impl Backend for Schema {
    fn generate(&self, model: &Model) -> Result<Vec<Generated>> {
        let text = crate::schema::render(model);
        Ok(vec![Generated { file_name: "schema.json".to_owned(), text }])
    }
}

/// A reference of all services, as one HTML file that needs no other.
#[derive(Clone, Debug, Default)]
pub struct Html {
    /// Stands at its top; the packages' names if it is `None`.
    pub title: Option<String>,
}

impl Backend for Html {
    fn generate(&self, model: &Model) -> Result<Vec<Generated>> {
        let text = crate::html::render(model, self.title.as_deref());
        Ok(vec![Generated { file_name: "index.html".to_owned(), text }])
    }
}
