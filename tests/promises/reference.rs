//! The page of supported operations says what the code does.

use std::path::Path;

use labctl::cli;
use labctl::local::reference;

use crate::support::LocalCloud;

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_of_the_local_cloud_is_fresh() {
    let cloud = LocalCloud::start().await;
    let page = reference::reference(&cloud.cloud());
    let strangers = reference::strangers(&cloud.cloud());
    cloud.stop().await;
    assert!(strangers.is_empty(), "operations that AWS does not have: {strangers:?}");
    fresh("local.md", &page);
}

#[test]
fn the_reference_of_the_command_line_is_fresh() {
    fresh("commands.md", &cli::reference::commands());
    fresh("variables.md", &cli::reference::variables());
    fresh("exit-codes.md", &cli::reference::exit_codes());
}

/// Holds a page to what the code says; writes it anew with `UPDATE_DOCS`.
fn fresh(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/reference/{name} is stale: UPDATE_DOCS=1 tests/run reference");
}
