//! The service that both compile, and code that uses all of it.

use std::fmt::Write as _;

/// Types that the actions share: what services are made of.
const SHARED: &str = r#"
enum State { STATE_UNSPECIFIED = 0; STATE_OPEN = 1; STATE_CLOSED = 2; STATE_GONE = 3; }
message Money { string currency = 1; int64 units = 2; int32 nanos = 3; }
message Address { string street = 1; string city = 2; string country = 3; optional string note = 4; }
message Card { string number = 1; uint32 month = 2; uint32 year = 3; }
message Thing {
  string name = 1;
  uint64 number = 2;
  State state = 3;
  Money price = 4;
  repeated Address addresses = 5;
  map<string, string> labels = 6;
  oneof payment { Card card = 7; string voucher = 8; bool cash = 9; }
  bytes digest = 10;
  optional double weight = 11;
}
"#;

/// The service as protobuf says it.
pub(crate) fn proto(actions_count: usize) -> String {
    let mut text = format!("syntax = \"proto3\";\npackage things;\n{SHARED}\n");
    let mut methods = String::new();
    for index in 0..actions_count {
        let _ = write!(
            text,
            "// Asks for number {index}.\nmessage DoThing{index}Request {{\n  string name = 1;\n  uint64 number = 2;\n  \
             repeated string tags = 3;\n  optional string note = 4;\n  Thing thing = 5;\n}}\n\
             message DoThing{index}Response {{\n  Thing thing = 1;\n  repeated Money prices = 2;\n  string text = 3;\n}}\n"
        );
        let _ = write!(
            methods,
            "  // Does thing number {index}.\n  rpc DoThing{index}(DoThing{index}Request) returns (DoThing{index}Response);\n"
        );
    }
    text + &format!("// Does things.\nservice Things {{\n{methods}}}\n")
}

/// Serves every action and calls each once, over our stubs.
pub(crate) fn ours_used(actions_count: usize) -> String {
    let mut text = String::from(
        "use std::{future::Future, pin::Pin};\nuse rpcgen_runtime::generated::{AppId, ServerCall, Service};\nuse super::generated::*;\n\
         fn never<T>() -> T { panic!() }\npub struct Business;\npub fn serve() -> Service { server(Business) }\n",
    );
    let mut methods = String::new();
    for index in 0..actions_count {
        let _ = writeln!(
            methods,
            "async fn do_thing{index}(&self, _: &ServerCall, _: AppId, _: String, _: u64, _: Vec<String>, _: Option<String>, \
             _: Option<Thing>) -> DoThing{index}Response {{ never() }}"
        );
        let _ = writeln!(
            text,
            "pub fn call{index}(client: &Client) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {{ Box::pin(async move {{ \
             drop(client.do_thing{index}(AppId(1), \"name\", 7, Vec::new(), None, None).await); }}) }}"
        );
    }
    text + &format!("impl Things for Business {{\n{methods}}}\n")
}

/// The same over tonic's.
pub(crate) fn theirs_used(actions_count: usize) -> String {
    let mut text = String::from(
        "use std::{future::Future, pin::Pin};\nuse super::generated::*;\nuse tonic::{Request, Response, Status};\n\
         pub type Client = things_client::ThingsClient<tonic::transport::Channel>;\n\
         fn never<T>() -> T { panic!() }\npub struct Business;\n\
         pub fn serve() -> tonic::service::Routes { tonic::service::Routes::new(things_server::ThingsServer::new(Business)) }\n",
    );
    let mut methods = String::new();
    for index in 0..actions_count {
        let _ = writeln!(
            methods,
            "async fn do_thing{index}(&self, _: Request<DoThing{index}Request>) \
             -> Result<Response<DoThing{index}Response>, Status> {{ never() }}"
        );
        let _ = writeln!(
            text,
            "pub fn call{index}(client: &mut Client) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {{ Box::pin(async move {{ \
             let request = DoThing{index}Request {{ name: \"name\".to_owned(), number: 7, tags: Vec::new(), note: None, thing: None }}; \
             drop(client.do_thing{index}(request).await); }}) }}"
        );
    }
    text + &format!("#[tonic::async_trait]\nimpl things_server::Things for Business {{\n{methods}}}\n")
}
