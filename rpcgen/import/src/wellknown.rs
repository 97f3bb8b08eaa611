//! Types of `google.protobuf`.
//!
//! Knows: which ones are types of the language, and the declarations of the others, for trees that do not carry them.
//! Does not know: fields.

/// The type of the language that a type of protobuf becomes.
pub(crate) fn built_in(full_name: &str) -> Option<&'static str> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "Timestamp" => "timestamp",
        "Duration" => "duration",
        "DoubleValue" => "f64",
        "FloatValue" => "f32",
        "Int64Value" => "i64",
        "UInt64Value" => "u64",
        "Int32Value" => "i32",
        "UInt32Value" => "u32",
        "BoolValue" => "bool",
        "StringValue" => "string",
        "BytesValue" => "bytes",
        _ => return None,
    })
}

/// What has no content: no request, no answer beyond "done", a variant without data.
pub(crate) const EMPTY: &str = "google.protobuf.Empty";

/// What holds a message that only protobuf can read.
pub(crate) const ANY: &str = "google.protobuf.Any";

/// A file that every protobuf compiler brings along.
pub(crate) fn text(import: &str) -> Option<&'static str> {
    Some(match import.strip_prefix("google/protobuf/")? {
        "any.proto" => ANY_PROTO,
        "api.proto" => API_PROTO,
        "descriptor.proto" => include_str!("wellknown/descriptor.proto"),
        "duration.proto" => DURATION_PROTO,
        "empty.proto" => EMPTY_PROTO,
        "field_mask.proto" => FIELD_MASK_PROTO,
        "source_context.proto" => SOURCE_CONTEXT_PROTO,
        "struct.proto" => STRUCT_PROTO,
        "timestamp.proto" => TIMESTAMP_PROTO,
        "type.proto" => TYPE_PROTO,
        "wrappers.proto" => WRAPPERS_PROTO,
        _ => return None,
    })
}

// Facts of the wire, in words of our own.

const ANY_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
// A message of any type, as protobuf writes it.
message Any {
  // Names the type: `type.googleapis.com/package.Name`.
  string type_url = 1;
  // The bytes.
  bytes value = 2;
}
"#;

const API_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
import "google/protobuf/source_context.proto";
import "google/protobuf/type.proto";
// A service as protobuf describes it.
message Api {
  string name = 1;
  repeated Method methods = 2;
  repeated Option options = 3;
  string version = 4;
  SourceContext source_context = 5;
  repeated Mixin mixins = 6;
  Syntax syntax = 7;
}
message Method {
  string name = 1;
  string request_type_url = 2;
  bool request_streaming = 3;
  string response_type_url = 4;
  bool response_streaming = 5;
  repeated Option options = 6;
  Syntax syntax = 7;
}
message Mixin { string name = 1; string root = 2; }
"#;

const SOURCE_CONTEXT_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
// Where something of protobuf is declared.
message SourceContext { string file_name = 1; }
"#;

const TYPE_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
import "google/protobuf/any.proto";
import "google/protobuf/source_context.proto";
// A message as protobuf describes it.
message Type {
  string name = 1;
  repeated Field fields = 2;
  repeated string oneofs = 3;
  repeated Option options = 4;
  SourceContext source_context = 5;
  Syntax syntax = 6;
  string edition = 7;
}
message Field {
  enum Kind {
    TYPE_UNKNOWN = 0;
    TYPE_DOUBLE = 1;
    TYPE_FLOAT = 2;
    TYPE_INT64 = 3;
    TYPE_UINT64 = 4;
    TYPE_INT32 = 5;
    TYPE_FIXED64 = 6;
    TYPE_FIXED32 = 7;
    TYPE_BOOL = 8;
    TYPE_STRING = 9;
    TYPE_GROUP = 10;
    TYPE_MESSAGE = 11;
    TYPE_BYTES = 12;
    TYPE_UINT32 = 13;
    TYPE_ENUM = 14;
    TYPE_SFIXED32 = 15;
    TYPE_SFIXED64 = 16;
    TYPE_SINT32 = 17;
    TYPE_SINT64 = 18;
  }
  enum Cardinality {
    CARDINALITY_UNKNOWN = 0;
    CARDINALITY_OPTIONAL = 1;
    CARDINALITY_REQUIRED = 2;
    CARDINALITY_REPEATED = 3;
  }
  Kind kind = 1;
  Cardinality cardinality = 2;
  int32 number = 3;
  string name = 4;
  string type_url = 6;
  int32 oneof_index = 7;
  bool packed = 8;
  repeated Option options = 9;
  string json_name = 10;
  string default_value = 11;
}
message Enum {
  string name = 1;
  repeated EnumValue enumvalue = 2;
  repeated Option options = 3;
  SourceContext source_context = 4;
  Syntax syntax = 5;
  string edition = 6;
}
message EnumValue { string name = 1; int32 number = 2; repeated Option options = 3; }
message Option { string name = 1; Any value = 2; }
enum Syntax { SYNTAX_PROTO2 = 0; SYNTAX_PROTO3 = 1; SYNTAX_EDITIONS = 2; }
"#;

const DURATION_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
message Duration { int64 seconds = 1; int32 nanos = 2; }
"#;

const EMPTY_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
// Nothing.
message Empty {}
"#;

const FIELD_MASK_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
// Which fields of a message are meant.
message FieldMask {
  // Names of fields, with dots between a field and what it holds.
  repeated string paths = 1;
}
"#;

const STRUCT_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
// An object of JSON.
message Struct {
  map<string, Value> fields = 1;
}
// A value of JSON.
message Value {
  oneof kind {
    NullValue null_value = 1;
    double number_value = 2;
    string string_value = 3;
    bool bool_value = 4;
    Struct struct_value = 5;
    ListValue list_value = 6;
  }
}
// The null of JSON.
enum NullValue {
  NULL_VALUE = 0;
}
// An array of JSON.
message ListValue {
  repeated Value values = 1;
}
"#;

const TIMESTAMP_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
"#;

const WRAPPERS_PROTO: &str = r#"
syntax = "proto3";
package google.protobuf;
message DoubleValue { double value = 1; }
message FloatValue { float value = 1; }
message Int64Value { int64 value = 1; }
message UInt64Value { uint64 value = 1; }
message Int32Value { int32 value = 1; }
message UInt32Value { uint32 value = 1; }
message BoolValue { bool value = 1; }
message StringValue { string value = 1; }
message BytesValue { bytes value = 1; }
"#;
