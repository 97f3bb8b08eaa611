//! What is generated from models that are built by hand.

use super::*;
use crate::model::{
    Action, Broadcast, Correlation, CorrelationPlace, Field, Origin, Package, Persist, Service, Value, Variant,
};

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.to_owned(), docs: Vec::new(), ty, default: None, sensitive: false, deprecated: None }
}

fn variant(name: &str, fields: Vec<Field>) -> Variant {
    Variant { name: name.to_owned(), docs: Vec::new(), fields, deprecated: None }
}

fn package(name: &str, root: bool, imports: Vec<PackageId>) -> Package {
    let file = format!("{name}.rpc");
    Package { name: name.to_owned(), docs: Vec::new(), root, file, imports, constants: Vec::new() }
}

fn def(package: u32, name: &str, kind: TypeKind) -> TypeDef {
    TypeDef { package: PackageId(package), name: name.to_owned(), docs: Vec::new(), deprecated: None, kind }
}

fn action(name: &str, request: Vec<Field>, response: Vec<Field>, fails: Vec<Variant>) -> Action {
    let mut all = vec![field("app_id", Type::AppId)];
    all.extend(request);
    Action {
        name: name.to_owned(),
        docs: Vec::new(),
        deprecated: None,
        request: all,
        response,
        fails,
        fails_with: None,
        persist: None,
        deadline: None,
    }
}

fn service(name: &str, actions: Vec<Action>, broadcasts: Vec<Broadcast>) -> Service {
    Service { package: PackageId(0), name: name.to_owned(), docs: Vec::new(), actions, broadcasts, fingerprint: 0x1234 }
}

const TEXT: Type = Type::String { max: None };

fn text_up_to(max: u64) -> Type {
    Type::String { max: Some(max) }
}

/// The bank of the language's description.
fn bank() -> Model {
    let (amount, key, account) = (TypeId(0), TypeId(1), TypeId(2));
    let sensitive = |name, ty| Field { sensitive: true, ..field(name, ty) };
    let types = vec![
        def(1, "Amount", TypeKind::Alias { target: Type::U64 }),
        TypeDef {
            docs: vec!["A key that coins can be sent to.".to_owned()],
            ..def(0, "AddFundsKey", TypeKind::Alias { target: text_up_to(64) })
        },
        def(
            0,
            "Account",
            TypeKind::Struct {
                fields: vec![
                    field("id", Type::Uuid),
                    field("user", TEXT),
                    Field { default: Some(Value::Unsigned(0)), ..field("balance", Type::Named(amount)) },
                    field("note", Type::Optional(Box::new(TEXT))),
                ],
                fixed: false,
            },
        ),
        def(0, "Currency", TypeKind::Enum { variants: vec![variant("btc", vec![]), variant("usd", vec![])] }),
        TypeDef {
            docs: vec!["Data-carrying alternatives, as in Rust.".to_owned()],
            ..def(
                0,
                "Payment",
                TypeKind::Enum {
                    variants: vec![
                        variant("card", vec![sensitive("number", TEXT), sensitive("cvc", Type::U16)]),
                        variant("coin", vec![field("key", Type::Named(key))]),
                        variant("cash", vec![]),
                    ],
                },
            )
        },
    ];
    let create_account = Action {
        docs: vec!["Creates a user's sub-account.".to_owned()],
        ..action(
            "create_account",
            vec![field("user", text_up_to(64))],
            vec![field("account", Type::Named(account))],
            vec![variant("user_exists", vec![]), variant("quota_reached", vec![field("limit", Type::U32)])],
        )
    };
    let add_funds = Action {
        docs: vec!["A fresh key to send coins to. The node that asks will hear of what arrives.".to_owned()],
        persist: Some(Persist::Disk),
        deadline: Some(3_000_000_000),
        ..action(
            "get_add_funds_key",
            vec![field("user", TEXT)],
            vec![field("key", Type::Named(key))],
            vec![variant("no_such_user", vec![])],
        )
    };
    let pending = Broadcast {
        name: "pending_amount".to_owned(),
        docs: vec!["Coins were seen on the network but not confirmed yet.".to_owned()],
        deprecated: None,
        fields: vec![
            field("app_id", Type::AppId),
            field("key", Type::Named(key)),
            field("amount", Type::Named(amount)),
        ],
        origin: Some(Origin {
            action: 1,
            by: vec![Correlation { broadcast_field: 1, place: CorrelationPlace::Response, action_field: 0 }],
        }),
    };
    let pair = Type::Array { element: Box::new(Type::Named(TypeId(3))), length: 2 };
    let rate = Broadcast {
        name: "rate_changed".to_owned(),
        docs: vec!["Goes to any online node that handles it.".to_owned()],
        deprecated: None,
        fields: vec![field("app_id", Type::AppId), field("pair", pair), field("rate", Type::F64)],
        origin: None,
    };
    let actions = vec![create_account, add_funds, action("ping", vec![], vec![], vec![])];
    Model {
        packages: vec![package("bank", true, vec![PackageId(1)]), package("money", false, vec![])],
        types,
        services: vec![service("Bank", actions, vec![pending, rate])],
    }
}

fn text(model: &Model) -> String {
    generate(model, PackageId(0), &Settings::default()).expect("the model is fine")
}

#[test]
#[ignore]
fn show() {
    std::fs::write("/tmp/bank_gen.rs", text(&bank())).unwrap();
}
