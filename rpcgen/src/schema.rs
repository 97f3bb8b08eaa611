//! The model as JSON, for programs.
//!
//! Knows: the names of the JSON fields, a promise (`docs/schema.md`): fields are added, never changed. Does not know: who reads it.

use serde_json::{Map, Value as Json, json};

use crate::model::written::{type_name, type_text, value_text};
use crate::model::{
    Action, Broadcast, Constant, CorrelationPlace, Docs, Field, Model, Package, PackageId, Persist, Service, Type,
    TypeDef, TypeKind, Value, Variant,
};

pub(crate) fn render(model: &Model) -> String {
    let packages: Vec<Json> =
        (0..).map(PackageId).zip(&model.packages).map(|(id, one)| package(model, id, one)).collect();
    format!("{:#}\n", json!({ "version": 1, "packages": packages }))
}

fn package(model: &Model, id: PackageId, package: &Package) -> Json {
    let imports: Vec<&str> = package.imports.iter().map(|id| model.package(*id).name.as_str()).collect();
    let types = model.types.iter().filter(|def| def.package == id);
    let services = model.services.iter().filter(|service| service.package == id);
    json!({
        "name": package.name,
        "file": package.file,
        "root": package.root,
        "docs": lines(&package.docs),
        "imports": imports,
        "constants": package.constants.iter().map(|one| constant(model, id, one)).collect::<Vec<_>>(),
        "types": types.map(|def| type_def(model, def)).collect::<Vec<_>>(),
        "services": services.map(|one| service(model, one)).collect::<Vec<_>>(),
    })
}

fn lines(docs: &Docs) -> String {
    docs.join("\n")
}

fn constant(model: &Model, home: PackageId, constant: &Constant) -> Json {
    json!({
        "name": constant.name,
        "docs": lines(&constant.docs),
        "type": ty(model, home, &constant.ty),
        "value": value(model, &constant.value),
    })
}

fn type_def(model: &Model, def: &TypeDef) -> Json {
    let mut out = json!({ "name": def.name, "docs": lines(&def.docs), "deprecated": def.deprecated });
    let (kind, name, parts) = match &def.kind {
        TypeKind::Struct { fields: list, fixed } => {
            out["fixed"] = json!(fixed);
            ("struct", "fields", fields(model, def.package, list))
        }
        TypeKind::Enum { variants: list } => ("enum", "variants", variants(model, def.package, list)),
        TypeKind::Alias { target } => ("alias", "target", ty(model, def.package, target)),
        TypeKind::External { path } => ("external", "path", json!(path)),
    };
    out["kind"] = json!(kind);
    out[name] = parts;
    out
}

fn variants(model: &Model, home: PackageId, list: &[Variant]) -> Json {
    let one = |(number, variant): (usize, &Variant)| {
        json!({
            "name": variant.name,
            "number": number,
            "docs": lines(&variant.docs),
            "deprecated": variant.deprecated,
            "fields": fields(model, home, &variant.fields),
        })
    };
    list.iter().enumerate().map(one).collect()
}

fn fields(model: &Model, home: PackageId, list: &[Field]) -> Json {
    let one = |field: &Field| {
        json!({
            "name": field.name,
            "docs": lines(&field.docs),
            "type": ty(model, home, &field.ty),
            "default": field.default.as_ref().map(|default| value(model, default)),
            "sensitive": field.sensitive,
            "deprecated": field.deprecated,
        })
    };
    list.iter().map(one).collect()
}

fn service(model: &Model, service: &Service) -> Json {
    json!({
        "name": service.name,
        "docs": lines(&service.docs),
        "fingerprint": format!("{:016x}", service.fingerprint),
        "shape": service.shape,
        "actions": service.actions.iter().enumerate()
            .map(|(number, one)| action(model, service, number, one)).collect::<Vec<_>>(),
        "broadcasts": service.broadcasts.iter().enumerate()
            .map(|(number, one)| broadcast(model, service, number, one)).collect::<Vec<_>>(),
    })
}

/// The line of a member in the shape: the service's own name has the first one, actions and then broadcasts follow.
fn shape(service: &Service, member: usize) -> &str {
    service.shape.lines().nth(1 + member).unwrap_or_default()
}

fn action(model: &Model, service: &Service, number: usize, action: &Action) -> Json {
    let home = service.package;
    let persist = action.persist.map(|persist| match persist {
        Persist::Memory => "memory",
        Persist::Disk => "disk",
    });
    json!({
        "name": action.name,
        "number": number,
        "shape": shape(service, number),
        "docs": lines(&action.docs),
        "deprecated": action.deprecated,
        "request": fields(model, home, &action.request),
        "response": fields(model, home, &action.response),
        "fails": variants(model, home, &action.fails),
        "fails_with": action.fails_with.map(|id| type_name(model, None, id)),
        "persist": persist,
        "deadline_nanoseconds": action.deadline,
    })
}

fn broadcast(model: &Model, service: &Service, number: usize, broadcast: &Broadcast) -> Json {
    let origin = broadcast.origin.as_ref().map(|origin| {
        let by = origin.by.iter().map(|tie| {
            let place = match tie.place {
                CorrelationPlace::Request => "request",
                CorrelationPlace::Response => "response",
            };
            let field = broadcast.fields.get(tie.broadcast_field as usize).map(|field| &field.name);
            json!({ "field": field, "in": place })
        });
        let action = service.actions.get(origin.action as usize).map(|action| &action.name);
        json!({ "action": action, "by": by.collect::<Vec<_>>() })
    });
    json!({
        "name": broadcast.name,
        "number": number,
        "shape": shape(service, service.actions.len() + number),
        "docs": lines(&broadcast.docs),
        "deprecated": broadcast.deprecated,
        "fields": fields(model, service.package, &broadcast.fields),
        "origin": origin,
    })
}

/// A type: its kind with its parts, and as it is written.
fn ty(model: &Model, home: PackageId, ty: &Type) -> Json {
    let mut out = Map::new();
    out.insert("text".to_owned(), type_text(model, Some(home), ty).into());
    let mut set = |name: &str, value: Json| drop(out.insert(name.to_owned(), value));
    let inner = |inner: &Type| self::ty(model, home, inner);
    match ty {
        Type::Optional(content) => {
            set("kind", "optional".into());
            set("of", inner(content));
        }
        Type::List { element, max } => {
            set("kind", "list".into());
            set("of", inner(element));
            set("max", json!(max));
        }
        Type::Array { element, length } => {
            set("kind", "array".into());
            set("of", inner(element));
            set("length", json!(length));
        }
        Type::Map { key, value, max } => {
            set("kind", "map".into());
            set("key", inner(key));
            set("value", inner(value));
            set("max", json!(max));
        }
        Type::Named(id) => {
            let def = model.type_def(*id);
            set("kind", "named".into());
            set("package", model.package(def.package).name.clone().into());
            set("name", def.name.clone().into());
        }
        scalar => {
            set("kind", crate::model::written::scalar_name(scalar).into());
            if let Type::String { max } | Type::Bytes { max } = scalar {
                set("max", json!(max));
            }
        }
    }
    out.into()
}

/// A value: its kind, as it is written, and where JSON has the like, itself.
fn value(model: &Model, value: &Value) -> Json {
    let (kind, plain) = match value {
        Value::Bool(value) => ("bool", json!(value)),
        // JSON readers lose the digits of wide integers: `text` has them.
        Value::Unsigned(number) => ("integer", u64::try_from(*number).map_or(Json::Null, Json::from)),
        Value::Negative(number) => ("integer", i64::try_from(*number).map_or(Json::Null, Json::from)),
        Value::Float(number) => ("float", json!(number)),
        Value::String(text) => ("string", json!(text)),
        Value::Bytes(bytes) => ("bytes", json!(bytes)),
        Value::Duration(nanoseconds) => ("duration", u64::try_from(*nanoseconds).map_or(Json::Null, Json::from)),
        Value::Variant(..) => ("variant", value_text(model, value).into()),
        Value::EmptyList => ("list", json!([])),
        Value::EmptyMap => ("map", json!({})),
        Value::None => ("none", Json::Null),
        Value::AppId(number) => ("AppId", json!(number)),
    };
    json!({ "kind": kind, "text": value_text(model, value), "value": plain })
}
