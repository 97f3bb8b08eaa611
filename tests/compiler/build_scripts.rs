//! What a build script calls.

use std::path::Path;

use super::root;

#[test]
fn a_build_script_writes_one_file_per_package_and_leaves_it_alone_while_it_is_fresh() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build_script");
    let _ = std::fs::remove_dir_all(&folder);
    let compile = || rpcgen::Config::new().out_dir(&folder).compile(&[root().join("idl/bank.rpc")]);
    compile().unwrap();
    let written = std::fs::metadata(folder.join("bank.rs")).unwrap().modified().unwrap();
    compile().unwrap();
    assert_eq!(std::fs::metadata(folder.join("bank.rs")).unwrap().modified().unwrap(), written);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "imports stand in the files that import them");
}

#[test]
fn a_build_script_hears_of_exactly_the_files_that_were_read() {
    let checked = rpcgen::check(&[root().join("idl/bank.rpc")]);
    let names: Vec<_> = checked.files.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["bank.rpc", "money.rpc"]);
}

#[test]
fn files_with_errors_write_nothing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build_script_errors");
    let _ = std::fs::remove_dir_all(&folder);
    let error =
        rpcgen::Config::new().out_dir(&folder).compile(&[root().join("tests/compiler/ui/value.rpc")]).unwrap_err();
    assert_eq!(format!("{error:?}"), "20 errors in .rpc files");
    assert!(!folder.exists());
}
