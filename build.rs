//! Embedded folders are read by a macro, which cargo cannot see: without this, a new file would not be embedded.

fn main() {
    for folder in ["examples", "templates", "lambdas", "sql", "build.rs"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
