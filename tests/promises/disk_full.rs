//! A full disk: said in AWS's form, nothing half-written is seen, and all is well when there is room again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::support::{LocalCloud, Machine, until};

/// A file system of a few megabytes, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let at = tempfile::Builder::new().prefix("lc").tempdir().unwrap();
        let mut mount = Command::new("mount");
        let mounted =
            mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "small"]).arg(at.path()).status().unwrap();
        assert!(mounted.success(), "cannot mount a tmpfs");
        SmallDisk(at)
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        let full = std::iter::repeat_with(|| file.write_all(&[b'x'; 4096])).find_map(Result::err);
        assert_eq!(full.unwrap().kind(), std::io::ErrorKind::StorageFull);
    }

    /// How many bytes it has room for.
    fn room(&self) -> u64 {
        let disk = rustix::fs::statvfs(self.0.path()).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(self.0.path()).status();
    }
}

fn says_no_space(status: u16, code: Option<&str>, message: Option<&str>) {
    assert!((500..=507).contains(&status), "{status} {code:?} {message:?}");
    assert!(
        matches!(code, Some("InternalError" | "InternalFailure" | "InternalServiceError")),
        "{status} {code:?} {message:?}"
    );
    let message = message.unwrap_or_default();
    assert!(message.contains("no space") || message.contains("No space"), "{message}");
}

fn refused_put(error: &SdkError<PutObjectError>) {
    says_no_space(error.raw_response().unwrap().status().as_u16(), error.code(), error.message());
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_and_nothing_half_written_is_seen() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can make a small disk.
    }
    let disk = SmallDisk::mount("6m");
    let home = tempfile::Builder::new().prefix("h").tempdir_in(disk.0.path()).unwrap();
    let cloud = LocalCloud::start_on(home).await;
    let (s3, iam) = (aws_sdk_s3::Client::new(&cloud.sdk()), aws_sdk_iam::Client::new(&cloud.sdk()));
    let secrets = aws_sdk_secretsmanager::Client::new(&cloud.sdk());
    s3.create_bucket().bucket("full").send().await.unwrap();
    let put = |key: &str, size: usize| {
        s3.put_object().bucket("full").key(key).body(ByteStream::from(vec![b'a'; size])).send()
    };
    put("kept", 1000).await.unwrap();
    // One that does not fit though there is room when it begins. What there is of it goes when its file is closed, behind the answer.
    let room = disk.room();
    refused_put(&put("large", 20 << 20).await.unwrap_err());
    until("what was refused is gone", || disk.room() + (64 << 10) > room);
    disk.fill();
    refused_put(&put("small", 1000).await.unwrap_err());
    refused_put(&put("kept", 2000).await.unwrap_err());
    let role = iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap_err();
    says_no_space(role.raw_response().unwrap().status().as_u16(), role.code(), role.message());
    let secret = secrets.create_secret().name("s").secret_string("x").send().await.unwrap_err();
    says_no_space(secret.raw_response().unwrap().status().as_u16(), secret.code(), secret.message());
    let stack = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let template = json!({"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}).to_string();
    let made = stack.create_stack().stack_name("s").template_body(&template).send().await.unwrap_err();
    says_no_space(made.raw_response().unwrap().status().as_u16(), made.code(), made.message());

    let seen = s3.list_objects_v2().bucket("full").send().await.unwrap();
    assert_eq!(seen.contents().iter().map(|object| object.size()).collect::<Vec<_>>(), [Some(1000)]);
    let kept = s3.get_object().bucket("full").key("kept").send().await.unwrap().body.collect().await.unwrap();
    assert_eq!(kept.into_bytes(), vec![b'a'; 1000]);
    assert!(iam.get_role().role_name("r").send().await.is_err());

    disk.make_room();
    put("small", 1000).await.unwrap();
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    secrets.create_secret().name("s").secret_string("x").send().await.unwrap();
    let cloud = cloud.restart().await;
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    assert_eq!(s3.list_objects_v2().bucket("full").send().await.unwrap().key_count(), Some(2));
    let left = std::fs::read_dir(cloud.home().join("state/s3/objects/full")).unwrap().count();
    assert_eq!(left, 2, "content that nothing refers to");
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    iam.get_role().role_name("r").send().await.unwrap();
    cloud.stop().await;
    drop(disk);
}

#[test]
fn the_program_outlives_a_disk_that_has_no_room_for_its_log() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can make a small disk.
    }
    // As much as it wants at least when it starts.
    let (machine, disk) = (Machine::new(), SmallDisk::mount("640m"));
    let labctl = |args: &[&str]| {
        let said = machine.command(args).env("LABCTL_HOME", disk.0.path().join("home")).output().unwrap();
        assert!(said.status.success(), "{args:?}: {said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    let status = || serde_json::from_str::<Value>(&labctl(&["local", "status", "--output", "json"])).unwrap();
    labctl(&["local", "start"]);
    let address = status()["endpoint"].as_str().unwrap().trim_start_matches("http://").to_owned();
    let answered = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 403")
    };
    assert!(answered());
    disk.fill();
    for request in 0..300 {
        assert!(answered(), "request {request}");
    }
    disk.make_room();
    assert!(answered());
    let log = std::fs::read_to_string(disk.0.path().join("home/logs/local.log")).unwrap();
    assert!(log.contains(" lines of this log were lost: there was no room"), "{log}");
    assert_eq!(status()["running"], true);
    labctl(&["local", "stop"]);
}
