//! The two forms give the same code, and what is wrong with a trait is said at its place.

use proc_macro2::TokenTree;
use rpcgen::diagnostic::Sink;
use rpcgen::source::SourceId;
use rpcgen::syntax;

use super::*;

/// What is generated from a `.rpc` text, in the attribute's form.
fn from_text(text: &str) -> String {
    let mut sink = Sink::default();
    let mut sources = SourceMap::default();
    let source: SourceId = sources.add("text.rpc", text);
    let file = syntax::parse(source, text, &mut sink);
    assert!(!sink.has_errors(), "{}", sink.finish(sources).to_human(false));
    let checked = rpcgen::check_tree(file, sources);
    let model = checked.model.unwrap_or_else(|| panic!("{}", checked.diagnostics.to_human(false)));
    codegen::generate_tokens(&model, PackageId(0), &settings()).expect("the text is fine").to_string()
}

/// What is generated from a module with `#[service]`: what is inside of it.
fn from_module(module: TokenStream) -> String {
    let expansion = service(TokenStream::new(), module);
    assert!(expansion.problems.is_empty(), "{:#?}", expansion.problems);
    let inside = expansion.tokens.into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream().to_string()),
        _ => None,
    });
    inside.last().expect("a module has an inside")
}

fn assert_same(text: &str, module: TokenStream) {
    let (ours, theirs) = (from_text(text), from_module(module));
    let mut pairs = ours.split_whitespace().zip(theirs.split_whitespace()).enumerate();
    if let Some((at, _)) = pairs.find(|(_, (ours, theirs))| ours != theirs) {
        let around =
            |text: &str| text.split_whitespace().skip(at.saturating_sub(12)).take(24).collect::<Vec<_>>().join(" ");
        panic!("the text gives\n  {}\nand the trait\n  {}", around(&ours), around(&theirs));
    }
    assert_eq!(ours.len(), theirs.len());
}

fn problems(module: TokenStream) -> Vec<String> {
    let expansion = service(TokenStream::new(), module);
    assert!(!expansion.problems.is_empty(), "a problem is expected in {}", expansion.tokens);
    expansion
        .problems
        .into_iter()
        .map(|problem| problem.message.lines().next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn the_bank_is_the_same_in_both_forms() {
    assert_same(
        r#"
        package bank;

        /// A key that coins can be sent to.
        alias AddFundsKey = string @max(64);

        struct Account {
            id: uuid,
            /// Whose it is.
            user: string,
            balance: u64 = 0,
            note: string?,
        }

        enum Currency { btc, usd }

        enum Payment {
            card { number: string @sensitive, cvc: u16 @sensitive },
            coin { key: AddFundsKey },
            cash,
        }

        /// The bank.
        service Bank {
            /// Creates a user's sub-account.
            action create_account(app_id: AppId, user: string @max(64)) -> (account: Account)
                fails { user_exists, quota_reached { limit: u32 } };

            @persist(disk) @deadline(3s)
            action get_add_funds_key(app_id: AppId, user: string) -> (key: AddFundsKey)
                fails { no_such_user };

            action ping(app_id: AppId);

            broadcast pending_amount(app_id: AppId, key: AddFundsKey, amount: u64)
                to origin of get_add_funds_key by key;

            broadcast rate_changed(app_id: AppId, pair: [Currency; 2], rate: f64);
        }
        "#,
        quote! {
            mod bank {
                /// A key that coins can be sent to.
                #[rpc(max = 64)]
                type AddFundsKey = String;

                struct Account {
                    id: Uuid,
                    /// Whose it is.
                    user: String,
                    #[rpc(default = 0)]
                    balance: u64,
                    note: Option<String>,
                }

                enum Currency { Btc, Usd }

                enum Payment {
                    Card {
                        #[rpc(sensitive)]
                        number: String,
                        #[rpc(sensitive)]
                        cvc: u16,
                    },
                    Coin { key: AddFundsKey },
                    Cash,
                }

                enum CreateAccountError { UserExists, QuotaReached { limit: u32 } }

                enum GetAddFundsKeyError { NoSuchUser }

                /// The bank.
                trait Bank {
                    /// Creates a user's sub-account.
                    #[action(returns(account))]
                    async fn create_account(
                        app_id: AppId,
                        #[rpc(max = 64)] user: String,
                    ) -> Result<Account, CreateAccountError>;

                    #[action(returns = key, persist = disk, deadline = Duration::from_secs(3))]
                    async fn get_add_funds_key(app_id: AppId, user: String) -> Result<AddFundsKey, GetAddFundsKeyError>;

                    #[action]
                    async fn ping(app_id: AppId);

                    #[broadcast(origin = get_add_funds_key, by = key)]
                    async fn pending_amount(app_id: AppId, key: AddFundsKey, amount: u64);

                    #[broadcast]
                    async fn rate_changed(app_id: AppId, pair: [Currency; 2], rate: f64);
                }
            }
        },
    );
}

#[test]
fn defaults_and_constants_are_the_same_in_both_forms() {
    assert_same(
        r#"
        package defaults;

        const MOST: u32 = 5;
        const GREETING: string = "hello";
        const WAIT: duration = 1500ms;

        enum Level { low, high }

        struct Defaults {
            flag: bool = true,
            less: i64 = -5,
            ratio: f64 = -1.5,
            text: string = "two",
            raw: bytes = b"\x00a",
            wait: duration = 3s,
            level: Level = high,
            app: AppId = AppId(7),
            list: [u16] @max(MOST) = [],
            map: {string: u8} = {},
            none: uuid? = none,
            count: u32 = MOST,
        }
        "#,
        quote! {
            mod defaults {
                const MOST: u32 = 5;
                const GREETING: &str = "hello";
                const WAIT: Duration = Duration::from_millis(1500);

                enum Level { Low, High }

                struct Defaults {
                    #[rpc(default = true)]
                    flag: bool,
                    #[rpc(default = -5)]
                    less: i64,
                    #[rpc(default = -1.5)]
                    ratio: f64,
                    #[rpc(default = "two")]
                    text: String,
                    #[rpc(default = b"\x00a")]
                    raw: Vec<u8>,
                    #[rpc(default = Duration::from_secs(3))]
                    wait: std::time::Duration,
                    #[rpc(default = Level::High)]
                    level: Level,
                    #[rpc(default = AppId(7))]
                    app: AppId,
                    #[rpc(max = MOST, default = Vec::new())]
                    list: Vec<u16>,
                    #[rpc(default = BTreeMap::new())]
                    map: BTreeMap<String, u8>,
                    #[rpc(default = None)]
                    none: Option<Uuid>,
                    #[rpc(default = MOST)]
                    count: u32,
                }
            }
        },
    );
}

#[test]
fn types_are_the_same_in_both_forms() {
    assert_same(
        r#"
        package kinds;

        @fixed struct Point { x: f32, y: f32 }

        @deprecated("use New") struct Old {}

        struct New {
            map: {string: [Point?]},
            at: timestamp?,
            next: New?,
            id: u128,
            parts: [[bytes; 2]],
        }

        service Kinds {
            @deprecated("")
            action several(app_id: AppId, new: New) -> (a: u8, b: string?);
        }
        "#,
        quote! {
            mod kinds {
                #[rpc(fixed)]
                struct Point { x: f32, y: f32 }

                #[deprecated(note = "use New")]
                struct Old {}

                struct New {
                    map: BTreeMap<String, Vec<Option<Point>>>,
                    at: Option<Timestamp>,
                    next: Option<Box<New>>,
                    id: u128,
                    parts: Vec<[Vec<u8>; 2]>,
                }

                trait Kinds {
                    #[deprecated]
                    #[action(returns(a, b))]
                    async fn several(app_id: AppId, new: New) -> (u8, Option<String>);
                }
            }
        },
    );
}

#[test]
fn two_services_are_the_same_in_both_forms() {
    assert_same(
        r"
        package pair;
        service First { action one(app_id: AppId) -> (value: bool); }
        service Second { action two(app_id: AppId); broadcast three(app_id: AppId, type: u8); }
        ",
        quote! {
            mod pair {
                trait First {
                    #[action]
                    async fn one(app_id: AppId) -> bool;
                }
                trait Second {
                    #[action]
                    async fn two(app_id: AppId);
                    #[broadcast]
                    async fn three(app_id: AppId, r#type: u8);
                }
            }
        },
    );
}

#[test]
fn bare_trait_takes_types_from_the_scope_around() {
    let expansion = service(
        TokenStream::new(),
        quote! {
            trait Bank {
                #[action]
                async fn create_account(app_id: AppId, user: crate::User) -> Result<Account, CreateAccountError>;
            }
        },
    );
    assert!(expansion.problems.is_empty(), "{:#?}", expansion.problems);
    let text = expansion.tokens.to_string();
    assert!(text.contains("type Output = super :: Account"), "{text}");
    assert!(text.contains("type Error = super :: CreateAccountError"), "{text}");
    assert!(text.contains("pub user : crate :: User"), "{text}");
    assert!(!text.contains("struct Account") && !text.contains("enum CreateAccountError"), "{text}");
}

#[test]
fn package_is_the_module_or_the_trait_unless_it_is_named() {
    let named = |arguments: TokenStream| {
        let item = quote!(
            trait BigBank {
                #[action]
                async fn ping(app_id: AppId);
            }
        );
        service(arguments, item).tokens.to_string()
    };
    assert!(named(TokenStream::new()).contains("\"big_bank.BigBank\""));
    assert!(named(quote!(package = "acme.bank")).contains("\"acme.bank.BigBank\""));
}

#[test]
fn message_is_a_type_with_its_codec() {
    let expansion = message(
        TokenStream::new(),
        quote!(
            struct Point {
                #[rpc(default = 1)]
                x: u8,
                other: crate::Other,
            }
        ),
    );
    assert!(expansion.problems.is_empty(), "{:#?}", expansion.problems);
    let text = expansion.tokens.to_string();
    assert!(text.contains("pub struct Point") && text.contains("Decode for Point"), "{text}");
    assert!(!text.contains("fmt :: Display"), "{text}");
    let expansion = message(
        quote!(error),
        quote!(
            enum Why {
                NotNow,
                Never { since: u8 },
            }
        ),
    );
    assert!(expansion.tokens.to_string().contains("fmt :: Display for Why"));
}

#[test]
fn everything_wrong_is_said_in_one_run() {
    let found = problems(quote! {
        trait Bank {
            #[action]
            async fn no_app(user: String);
            #[broadcast(origin = nobody, by(key))]
            async fn lost(app_id: AppId, key: String);
        }
    });
    assert_eq!(
        found,
        [
            "E020: action `no_app` has no `app_id: AppId` as its first field",
            "E042: service `Bank` has no action `nobody`",
        ]
    );
}

#[test]
fn what_has_no_form_in_the_language_is_refused() {
    let found = problems(quote! {
        trait Bank<T>: Send {
            const X: u8;
            fn ping(&self, app_id: AppId);
            #[action]
            async fn borrow(app_id: AppId, text: &str, map: HashMap<u8, u8>, size: usize) -> (u8, u8) {}
            #[broadcast(origin = borrow)]
            async fn answered(app_id: AppId, (a, b): (u8, u8)) -> u8;
        }
    });
    let expected = [
        "a type on the wire has no parameters",
        "the generated trait has its own bounds",
        "a service has actions and broadcasts",
        "an action or broadcast is an `async fn`",
        "say what it is",
        "this end only says what there is",
        "a message owns what it holds",
        "a map travels in the order of its keys",
        "the size of this type",
        "name the 2 fields of this response",
        "a broadcast is not answered",
        "go together",
        "a field has a name",
    ];
    for fact in expected {
        assert!(found.iter().any(|message| message.contains(fact)), "{fact:?} is not among {found:#?}");
    }
}

#[test]
fn error_beside_the_trait_has_the_name_of_its_action() {
    let found = problems(quote! {
        mod bank {
            enum Trouble { Much }
            trait Bank {
                #[action]
                async fn ping(app_id: AppId) -> Result<(), Trouble>;
            }
        }
    });
    assert_eq!(found, ["the error of an action has its name: call it `PingError`"]);
}

#[test]
fn what_has_no_form_hides_nothing_that_is_wrong_elsewhere() {
    let found = problems(quote! {
        mod bank {
            struct Pair(u8, u8);
            struct Odd { map: HashMap<u8, u8>, odd: Nowhere, twice: u8, twice: u8 }
            type Size = usize;
            const LIMIT: u64 = size_of::<u8>();
            enum Kind { One(u8), Two }
            struct Uses {
                pair: Pair,
                size: Size,
                #[rpc(max = LIMIT)]
                text: String,
                #[rpc(default = Kind::One)]
                kind: Kind,
            }
            trait Bank {
                #[action]
                async fn no_app(user: String);
                async fn unmarked(app_id: AppId);
                #[action]
                async fn unnamed(app_id: AppId, uses: Uses, odd: Odd) -> (u8, u8);
                #[action]
                async fn by_reference(app_id: &AppId);
                #[broadcast(origin = unnamed, by(key))]
                async fn tied(app_id: AppId, key: u8);
                #[broadcast(origin = unmarked, by(key))]
                async fn tied_to_lost(app_id: AppId, key: u8);
                #[broadcast(origin = 7, by(key))]
                async fn tied_to_nothing(app_id: AppId, key: u8);
                #[broadcast(origin = nobody, by(key))]
                async fn untied(app_id: AppId, key: u8);
            }
        }
    });
    let expected = [
        "say what it is: `#[action]` (answered) or `#[broadcast]` (from the server to one node)",
        "name the 2 fields of this response: `#[action(returns(a, b))]`",
        "a message owns what it holds: use an owned type such as `String` or `Vec<u8>`",
        "a name is expected here",
        "fields have names, so that they can be spoken of when they change",
        "a map travels in the order of its keys, and a set is a list: use `BTreeMap` or `Vec`",
        "the size of this type is another one on other machines: use `u64` or `i64`",
    ];
    for message in expected {
        assert_eq!(
            found.iter().filter(|one| *one == message).count(),
            1 + usize::from(message.starts_with("fields")),
            "{message}"
        );
    }
    let checked: Vec<&String> = found.iter().filter(|message| message.starts_with('E')).collect();
    assert_eq!(
        checked,
        [
            "E020: action `no_app` has no `app_id: AppId` as its first field",
            "E042: service `Bank` has no action `nobody`",
            "E010: this list of fields has two of `twice`",
        ],
        "{found:#?}"
    );
}

#[test]
fn a_wrong_argument_hides_nothing_that_is_wrong_with_the_item() {
    let found = |item| {
        service(quote!(name = "bank"), item).problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
    };
    let argument = "the only argument is `package = \"name\"`";
    assert_eq!(
        found(quote!(
            struct Bank;
        )),
        [argument, "`#[service]` stands on a trait or a module"]
    );
    assert_eq!(
        found(quote!(
            mod bank;
        )),
        [argument, "the module's items must stand here"]
    );
}
