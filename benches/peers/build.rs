//! tonic's stubs, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["echo.proto"], ["."])?;
    println!("cargo::rerun-if-changed=echo.proto");
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
