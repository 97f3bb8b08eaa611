//! What rustc shows of a trait that is wrong, and where. What is said is tested function by function in `expand`.

#[test]
fn errors_point_into_the_trait() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
