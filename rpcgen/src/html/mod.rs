//! A reference of services as one HTML page: no other file, no network.
//!
//! Knows: the page's parts. Does not know: syntax, spans, files.

mod parts;
mod text;

use std::fmt::Write as _;

use crate::model::{Model, PackageId, TypeKind};
use text::{docs, escape};

/// The page of all packages of a model.
pub(crate) fn render(model: &Model, title: Option<&str>) -> String {
    let roots: Vec<&str> = model.packages.iter().filter(|one| one.root).map(|one| one.name.as_str()).collect();
    let title = escape(title.map_or_else(|| roots.join(", "), str::to_owned).as_str());
    let (style, script) = (include_str!("page.css"), include_str!("page.js"));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"rpcgen {}\">\n<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
    );
    navigation(model, &mut out);
    let _ = write!(out, "<main>\n<h1>{title}</h1>\n<p class=\"soft\">{}</p>\n", summary(model));
    for id in packages(model) {
        package(model, id, &mut out);
    }
    let _ = write!(out, "</main>\n<script>\n{script}</script>\n</body>\n</html>\n");
    out
}

fn packages(model: &Model) -> impl Iterator<Item = PackageId> + use<> {
    (0..u32::try_from(model.packages.len()).unwrap_or(u32::MAX)).map(PackageId)
}

fn summary(model: &Model) -> String {
    let count = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let actions = model.services.iter().map(|service| service.actions.len()).sum();
    let broadcasts = model.services.iter().map(|service| service.broadcasts.len()).sum();
    let parts = [
        count(model.services.len(), "service"),
        count(actions, "action"),
        count(broadcasts, "broadcast"),
        count(model.types.len(), "type"),
    ];
    parts.join(", ")
}

fn entry(anchor: &str, name: &str, words: &str, children: &str) -> String {
    let words = escape(&format!("{name} {words}").to_lowercase());
    format!("<li data-words=\"{words}\"><a href=\"#{anchor}\">{}</a>{children}</li>\n", escape(name))
}

fn navigation(model: &Model, out: &mut String) {
    out.push_str(
        "<nav aria-label=\"Contents\">\n<input id=\"search\" type=\"search\" placeholder=\"Search (press /)\" \
         aria-label=\"Search\" autocomplete=\"off\">\n<p class=\"none\">Nothing has that name.</p>\n",
    );
    for id in packages(model) {
        let package = model.package(id);
        let anchor = escape(&package.name);
        let _ = write!(out, "<h2><a href=\"#{anchor}\">{anchor}</a></h2>\n<ul>\n");
        for service in model.services.iter().filter(|service| service.package == id) {
            let at = format!("{}.{}", package.name, service.name);
            let actions =
                service.actions.iter().map(|one| entry(&format!("{at}.{}", one.name), &one.name, "action", ""));
            let broadcasts =
                service.broadcasts.iter().map(|one| entry(&format!("{at}.{}", one.name), &one.name, "broadcast", ""));
            let children: String = actions.chain(broadcasts).collect();
            out.push_str(&entry(&at, &service.name, "service", &format!("<ul>{children}</ul>")));
        }
        for def in model.types.iter().filter(|def| def.package == id) {
            let parts: Vec<&str> = match &def.kind {
                TypeKind::Struct { fields, .. } => fields.iter().map(|field| field.name.as_str()).collect(),
                TypeKind::Enum { variants } => variants.iter().map(|variant| variant.name.as_str()).collect(),
                TypeKind::Alias { .. } | TypeKind::External { .. } => Vec::new(),
            };
            out.push_str(&entry(&format!("{}.{}", package.name, def.name), &def.name, &parts.join(" "), ""));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</nav>\n");
}

fn package(model: &Model, id: PackageId, out: &mut String) {
    let package = model.package(id);
    let name = escape(&package.name);
    let _ = write!(out, "<section>\n<h2 class=\"package\" id=\"{name}\">package <code>{name}</code></h2>\n");
    if !package.root {
        out.push_str("<p class=\"soft\">imported</p>\n");
    }
    out.push_str(&docs(&package.docs));
    for service in model.services.iter().filter(|service| service.package == id) {
        parts::service(model, service, out);
    }
    let types: Vec<_> = model.types.iter().filter(|def| def.package == id).collect();
    if !types.is_empty() {
        out.push_str("<h3>Types</h3>\n");
        types.iter().for_each(|def| parts::type_def(model, def, out));
    }
    parts::constants(model, id, package, out);
    out.push_str("</section>\n");
}
