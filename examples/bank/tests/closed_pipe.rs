//! The example as a command whose output nobody reads: `bank | head -1`.

use std::process::Command;

#[test]
fn a_run_that_nobody_reads_ends_in_silence() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut bank = Command::new(env!("CARGO_BIN_EXE_bank"));
    let output = bank.args(["--actions", "100"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
