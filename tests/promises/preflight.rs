//! What a lab lacks is named with its remedy before anything is made.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::{Machine, Said};

const UP: [&str; 3] = ["up", "superheroes", "--local"];

/// Runs labctl in a mount namespace of its own, after `setup`. `None`, said on stderr: this system allows none.
#[expect(clippy::print_stderr, reason = "a test that cannot be run here has to say so")]
fn with_mounts(machine: &Machine, setup: &str, env: &[(&str, &Path)]) -> Option<Said> {
    if !Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: this system has no mount namespaces for users");
        return None;
    }
    let script = format!("set -e\n{setup}\nexec \"$@\"");
    let labctl = env!("CARGO_BIN_EXE_labctl");
    let args = [&["-rm", "sh", "-c", &script, "sh", labctl][..], &UP].concat();
    let mut command = machine.command_of(Path::new("unshare"), &args);
    command.env("PATH", std::env::var_os("PATH").unwrap()).envs(env.iter().copied());
    Some(Said::of(command.output().unwrap()))
}

#[track_caller]
fn told(said: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(said.contains(wanted), "not told: {wanted}\n{said}");
    }
    assert!(said.contains("hint: "), "no remedy: {said}");
}

#[test]
fn missing_engines_are_named_together_with_the_install_commands() {
    let machine = Machine::new();
    // A device is no program, wherever the search looks.
    let hide = "for name in mysqld mariadbd redis-server valkey-server; do
        for file in $(which -a $name 2>/dev/null) /usr/sbin/$name /usr/bin/$name /usr/local/bin/$name; do
            if [ -f \"$file\" ]; then mount --bind /dev/null \"$file\"; fi
        done
    done";
    let unnamed = [("LABCTL_MYSQLD", Path::new("")), ("LABCTL_REDIS", Path::new(""))];
    let Some(said) = with_mounts(&machine, hide, &unnamed) else { return };
    told(
        &said.ended(2),
        &[
            "no MySQL or MariaDB server on this machine",
            "no Redis or Valkey server on this machine",
            "--install-engines",
        ],
    );
    machine.is_untouched();
}

#[test]
fn without_a_toolchain_or_a_linker_nothing_is_begun() {
    let machine = Machine::new();
    let bin = machine.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let up = || Said::of(machine.command(&UP).env("PATH", &bin).output().unwrap()).ended(2);
    told(&up(), &["cannot build function `superheroes`", "cargo and rustc are not on PATH", "https://rustup.rs"]);
    let path = std::env::var_os("PATH").unwrap();
    for tool in ["cargo", "rustc"] {
        let found = std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.exists()).unwrap();
        std::os::unix::fs::symlink(found, bin.join(tool)).unwrap();
    }
    told(&up(), &["cannot build function `superheroes`", "no linker", "apt-get install gcc"]);
    machine.is_untouched();
}

#[test]
fn a_disk_without_room_is_named() {
    let machine = Machine::new();
    let small = machine.root().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = format!("mount -t tmpfs -o size=64m tmpfs '{}'", small.display());
    let (home, cache) = (small.join("home"), small.join("cache"));
    let script = |more: &str| format!("{mount}\ntrap 'ls -A \"{}\" >&2' EXIT\n{more}", small.display());
    let Some(said) = with_mounts(&machine, &mount, &[("LABCTL_HOME", &home)]) else { return };
    told(&said.ended(2), &["no disk space for the local cloud: 64 MiB free of the 512 MiB needed", "make room"]);
    let said = with_mounts(&machine, &script(""), &[("LABCTL_CACHE", &cache)]).unwrap().ended(2);
    told(&said, &["no disk space to build in: 64 MiB free of the 512 MiB needed", "export LABCTL_CACHE="]);
    machine.is_untouched();
}

#[test]
fn a_home_or_cache_that_cannot_be_written_is_named() {
    let machine = Machine::new();
    let fixed = machine.root().join("fixed");
    std::fs::create_dir(&fixed).unwrap();
    let read_only = format!("mount -t tmpfs tmpfs '{0}' && mount -o remount,ro '{0}'", fixed.display());
    if let Some(said) = with_mounts(&machine, &read_only, &[("LABCTL_HOME", &fixed.join("home"))]) {
        told(&said.ended(2), &["cannot write to the local cloud's directory", "Read-only", "export LABCTL_HOME="]);
        let said = with_mounts(&machine, &read_only, &[("LABCTL_CACHE", &fixed.join("cache"))]).unwrap().ended(2);
        told(&said, &["cannot write to the cache folder", "Read-only", "export LABCTL_CACHE="]);
    }
    let file = machine.root().join("file");
    std::fs::write(&file, "mine").unwrap();
    let long = machine.root().join("x".repeat(300));
    for (home, why) in [
        (&file, "cannot write to the local cloud's directory"),
        (&file.join("below"), "Not a directory"),
        (&long, "File name too long"),
    ] {
        let said = Said::of(machine.command(&UP).env("LABCTL_HOME", home).output().unwrap()).ended(2);
        told(&said, &[why, "export LABCTL_HOME="]);
    }
    let said = Said::of(machine.command(&UP).env("LABCTL_CACHE", &file).output().unwrap()).ended(2);
    told(&said, &["cannot write to the cache folder", "export LABCTL_CACHE="]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    machine.is_untouched();
}

#[test]
fn a_taken_port_is_named_before_the_home_is_made() {
    let machine = Machine::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = machine.run(&[&UP[..], &["--port", &port]].concat()).ended(2);
    told(&said, &[&format!("port {port} on 127.0.0.1 is taken by"), &std::process::id().to_string(), "--port 0"]);
    machine.is_untouched();
}

#[test]
fn a_target_on_aws_without_region_or_credentials_is_refused_with_the_remedy() {
    let machine = Machine::new();
    let up = |args: &[&str], env: &[(&str, &str)]| {
        let args = [&["up", "superheroes"], args].concat();
        Said::of(machine.command(&args).envs(env.iter().copied()).output().unwrap()).ended(2)
    };
    told(&up(&[], &[]), &["no AWS region is set", "--region"]);
    told(&up(&["--region", "us-east-1"], &[]), &["no AWS credentials were found", "aws configure sso", "--local"]);
    told(&up(&[], &[("AWS_REGION", "us-east-1"), ("AWS_PROFILE", "nobody")]), &["no AWS credentials were found"]);
    let keys = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    told(&up(&["--endpoint-url", "not a url"], &keys), &["`not a url` is not an endpoint URL"]);
    machine.is_untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_named_before_the_lab_that_needs_more() {
    let machine = Machine::new();
    machine.well(&["local", "start"]);
    let room = |said: &Said| said.json()["findings"].as_array().unwrap().clone();
    let found = room(&machine.run(&["doctor", "--local", "--output", "json"]));
    let quotas = found.iter().find(|finding| finding["subject"] == "quotas").unwrap();
    let detail = quotas["detail"].as_str().unwrap();
    assert!(detail.contains("0 of 40 DB clusters") && detail.contains("0 of 2000 stacks"), "{detail}");

    let program = "
rds = boto3.client('rds')
for made in range(60):
    code = refused(rds.create_db_cluster_parameter_group, DBClusterParameterGroupName=f'g{made}',
                   DBParameterGroupFamily='aurora-mysql8.0', Description='d')
    if code: break
say({'made': made, 'code': code})
";
    let full = machine.clients().unwrap().boto3(program).await;
    assert_eq!((&full["made"], &full["code"]), (&50.into(), &"DBParameterGroupQuotaExceeded".into()));
    let said = machine.run(&["doctor", "--local"]);
    let all = format!("{}{}", said.out, said.err);
    assert!(all.contains("all 50 DB cluster parameter groups that the account may have are there"), "{all}");
    assert_eq!(said.code, Some(1), "{all}");
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}
