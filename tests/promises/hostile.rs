//! Clients that mean harm, or have lost their way: they get clean refusals and cost others nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use labctl::local::Patience;
use sha2::{Digest, Sha256};

use crate::support::clients::{Clients, Key};
use crate::support::machine::until;
use crate::support::signature::{Signer, Unsigned, amz_date};
use crate::support::{Answer, LocalCloud, LocalProgram};

/// Requests that no service knows what to do with. `{host}` stands for the address of the cloud.
fn nonsense(host: &str) -> Vec<Vec<u8>> {
    let headers = format!("Host: {host}\r\nConnection: close\r\n");
    let get = |path: &[u8]| [b"GET ", path, b" HTTP/1.1\r\n", headers.as_bytes(), b"\r\n"].concat();
    let post = |more: &str| format!("POST / HTTP/1.1\r\n{headers}{more}").into_bytes();
    let mut all = Vec::new();
    for path in [
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/_labctl/../../etc/passwd",
        "/_labctl/%2e%2e/health",
        "//",
        "/.",
        "/..",
        "//_labctl/health",
        "/%00",
        "/%ff%fe",
        "/%c0%ae%c0%ae/",
        "/\\..\\..",
        "/;/",
        "/bucket/%2e%2e/%2e%2e/etc",
        "/bucket/%zz",
        "/_aws/execute-api/../../x",
        "/_aws/execute-api/%2e%2e/%2e%2e",
        "/_aws/execute-api/",
        "/_aws/lambda/code/../../x",
        "/_aws/lambda/code/x/y",
        "/_aws/nothing",
        "*",
        "?x",
        "evil:80",
        "http://evil.example/_labctl/health",
        "/?Action=A&Version=%ff",
    ] {
        all.push(get(path.as_bytes()));
    }
    all.push(get(b"/a\0b"));
    all.push(get(b"/\xff\xfe"));
    all.push(get(&[b"/", &[b'a'; 9000][..]].concat()));
    all.push(get(&[b"/?", &[b'a'; 70_000][..]].concat()));
    for method in [
        "PUT",
        "POST",
        "DELETE",
        "HEAD",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "PATCH",
        "PROPFIND",
        "get",
        "G@T",
        &"M".repeat(5000),
    ] {
        all.push(format!("{method} / HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n").into_bytes());
        all.push(format!("{method} /bucket/key HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n").into_bytes());
    }
    for framing in [
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "Content-Length: 2, 3\r\n\r\n{}x",
        "Content-Length: -1\r\n\r\n{}",
        "Content-Length: 99999999999999999999999\r\n\r\n{}",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nabc",
        "Expect: the-impossible\r\nContent-Length: 2\r\n\r\n{}",
        "X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
        "XA\r\nContent-Length: 0\r\n\r\n",
        "Host: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
        "Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n",
        "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n",
    ] {
        all.push(post(framing));
    }
    let many: String = (0..500).map(|at| format!("X-{at}: a\r\n")).collect();
    all.push(post(&format!("{many}\r\n")));
    all.push(post(&format!("X-Long: {}\r\n\r\n", "a".repeat(300_000))));
    all.push(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec());
    all.push(b"GET /_labctl/health HTTP/1.0\r\n\r\n".to_vec());
    all.push(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_vec());
    all.push(format!("GET / HTTP/1.2\r\n{headers}\r\n").into_bytes());
    all.push(b"GET /\r\n\r\n".to_vec());
    all.push(b"\0\0\0\0\r\n\r\n".to_vec());
    all
}

/// Bytes that are no HTTP/1: the connection ends, with an answer or without.
const NOT_HTTP: [&[u8]; 3] = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    b"\r\n\r\n\r\n\r\nnothing\r\n\r\n",
];

async fn works(clients: &Clients) {
    let who = aws_sdk_sts::Client::new(&clients.sdk()).get_caller_identity().send().await.unwrap();
    assert_eq!(who.account(), Some("000000000000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_nonsense_gets_clean_refusals_and_leaves_the_cloud_as_it_was() {
    let home = tempfile::Builder::new().prefix("lc").tempdir().unwrap();
    let cloud = LocalProgram::start(home.path()).await;
    let storm = async |rounds: usize| {
        for _ in 0..rounds {
            let requests = nonsense(cloud.host());
            let answers = requests.iter().map(|request| cloud.send_raw(request.clone()));
            let answers = futures_util::future::join_all(answers).await;
            for (request, answer) in requests.iter().zip(answers) {
                let request = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
                let answer = Answer::parse(&answer);
                assert!((400..500).contains(&answer.status), "{request:?}: {answer:?}");
                assert!(!answer.body.contains("root:"), "{request:?}: {answer:?}");
            }
            for noise in NOT_HTTP {
                let answer = cloud.send_raw(noise.to_vec()).await;
                assert!(answer.is_empty() || Answer::parse(&answer).status == 400, "{answer}");
            }
        }
    };
    storm(2).await;
    let before = cloud.megabytes();
    storm(6).await;
    works(&cloud).await;
    let after = cloud.megabytes();
    assert!(after < before + 32, "from {before} MB to {after} MB");
    cloud.is_calm();
    assert!(cloud.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let cloud = LocalCloud::start().await;
    let head = format!(
        "POST /?Action=GetCallerIdentity&Version=2011-06-15 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
        cloud.host()
    );
    let answer =
        cloud.send_raw(format!("{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{{}}").into_bytes()).await;
    let (first, rest) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(first, "HTTP/1.1 100 Continue");
    assert_eq!(Answer::parse(rest).status, 403, "{rest}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_in_the_middle_of_a_long_body_hears_why() {
    const LENGTH: usize = 30 << 20;
    let cloud = LocalCloud::start().await;
    for connection in ["close", "keep-alive"] {
        let host = cloud.host();
        let head = format!(
            "PUT /none/key HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\nContent-Length: {LENGTH}\r\n\r\n"
        );
        let mut request = head.into_bytes();
        request.resize(request.len() + LENGTH, b'x');
        let next = format!("GET /_labctl/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        request.extend(next.into_bytes());
        let answers = cloud.send_raw(request).await;
        let kept = usize::from(connection == "keep-alive");
        assert_eq!(Answer::parse(&answers).status, 403, "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 200").count(), kept, "{answers}");
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_hides_behind_another() {
    let cloud = LocalCloud::start().await;
    let host = cloud.host();
    // By its length the second request is this one's body; by its chunks it is not. One reading of two, and no third.
    let hidden = format!("GET /_labctl/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let both = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let answers = cloud.send_raw(both.into_bytes()).await;
    assert!((400..500).contains(&Answer::parse(&answers).status), "{answers}");
    assert!(answers.matches("HTTP/1.1 ").count() <= 2, "{answers}");
    works(&cloud).await;
    cloud.stop().await;
}

/// A connection that sends a byte of `bytes` now and then; how long until the server closes it.
fn drip(address: &str, bytes: &[u8], every: Duration) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(every)).unwrap();
    let mut answer = [0; 1024];
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        match stream.read(&mut answer) {
            Ok(0) => break,
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => break,
            _ => assert!(begun.elapsed() < Duration::from_secs(20), "it is never closed"),
        }
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_connections_are_closed_and_starve_nobody() {
    let patience = Patience { head: Duration::from_secs(4), piece: Duration::from_secs(2), ..Patience::default() };
    let cloud = LocalCloud::start_with_patience(patience).await;
    let address = cloud.host().to_owned();
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let slow = (0..20).map(|_| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            drip(&address, b"GET / HTTP/1.1\r\nX-Endless: aaaaaaaaaaaa", Duration::from_millis(50))
        })
    });
    let slow: Vec<_> = slow.collect();
    // Nobody else notices.
    for _ in 0..20 {
        works(&cloud).await;
    }
    for dripped in slow {
        assert!(dripped.await.unwrap() < Duration::from_secs(20));
    }
    let closed = tokio::task::spawn_blocking(move || {
        for mut stream in silent {
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut answer = Vec::new();
            let ended = stream.read_to_end(&mut answer);
            assert!(ended.is_ok(), "a silent connection is still open: {ended:?}");
        }
    });
    closed.await.unwrap();
    // Bodies that stop half-way: to an operation, to an API, to S3.
    let bucket = aws_sdk_s3::Client::new(&cloud.sdk());
    bucket.create_bucket().bucket("half").send().await.unwrap();
    for service in ["iam", "s3"] {
        let path = if service == "s3" { "/half/key" } else { "/" };
        let headers = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
        let method = if service == "s3" { "PUT" } else { "POST" };
        let request =
            Unsigned { method, path, headers: &headers, payload: "UNSIGNED-PAYLOAD".into(), body: &[b'a'; 1000] };
        let (_, request) = Signer::of(service).sign(&cloud, &request);
        let answer = Answer::parse(&cloud.send_raw(request[..request.len() - 500].to_vec()).await);
        assert!(matches!(answer.status, 400 | 408), "{service}: {answer:?}");
    }
    // Over a new connection: the old one has been closed meanwhile.
    let bucket = aws_sdk_s3::Client::new(&cloud.sdk());
    assert_eq!(bucket.list_objects_v2().bucket("half").send().await.unwrap().key_count(), Some(0));
    works(&cloud).await;
    cloud.stop().await;
}

/// Whether this machine still has the server's end of a client's connection, and it has not begun to close.
fn is_served(client: &TcpStream) -> bool {
    let (client, server) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let pair = format!(":{:04X} 0100007F:{:04X} 01 ", server.port(), client.port());
    std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_takes_its_answer_is_let_go() {
    let patience = Patience { answer: Duration::from_millis(500), ..Patience::default() };
    let cloud = LocalCloud::start_with_patience(patience).await;
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    s3.create_bucket().bucket("large").send().await.unwrap();
    // More than the two sockets hold between them.
    let bytes = vec![b'a'; 32 << 20];
    s3.put_object().bucket("large").key("object").body(ByteStream::from(bytes)).send().await.unwrap();
    let headers = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
    let request = Unsigned {
        method: "GET",
        path: "/large/object",
        headers: &headers,
        payload: "UNSIGNED-PAYLOAD".into(),
        body: b"",
    };
    let (_, request) = Signer::of("s3").sign(&cloud, &request);
    let host = cloud.host().to_owned();
    let ask = move || {
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.write_all(&request).unwrap();
        stream
    };
    let waited = tokio::task::spawn_blocking(move || {
        let idle = ask();
        // The answer has begun: what is waited for is not its start.
        assert_eq!(idle.peek(&mut [0; 8]).unwrap(), 8);
        until("the server has let go", || !is_served(&idle));
        // Who takes it slowly, but takes it, gets all of it.
        let mut slow = ask();
        let (mut piece, mut taken) = (vec![0; 1 << 20], 0);
        loop {
            match slow.read(&mut piece).unwrap() {
                0 => break taken,
                read => taken += read,
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    });
    assert!(waited.await.unwrap() > 32 << 20, "the whole object and its head");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_machine_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can be somebody else.
    }
    let home = tempfile::Builder::new().prefix("lc").tempdir().unwrap();
    // Run as its own user the cloud does not answer nobody; as root's it does not either.
    let cloud = LocalProgram::start(home.path()).await;
    let url = format!("{}/_labctl/health", cloud.endpoint());
    let as_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-w", "\n%{http_code}", &url];
    let output = tokio::process::Command::new("setpriv").args(as_nobody).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.ends_with("403") && said.contains("another user"), "{said}");
    works(&cloud).await;
    cloud.is_calm();
    assert!(cloud.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_form_of_a_signature_is_refused_by_every_protocol() {
    let cloud = LocalCloud::start().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json = ("content-type", "application/x-amz-json-1.1");
    let target = ("x-amz-target", "secretsmanager.ListSecrets");
    type Ask<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);
    let services: [Ask<'_>; 5] = [
        ("iam", "POST", "/", &[form], b"Action=ListUsers&Version=2010-05-08"),
        ("ec2", "POST", "/", &[form], b"Action=DescribeVpcs&Version=2016-11-15"),
        ("secretsmanager", "POST", "/", &[json, target], b"{}"),
        ("lambda", "GET", "/2015-03-31/functions", &[], b""),
        ("s3", "GET", "/", &[], b""),
    ];
    for (service, method, path, headers, body) in services {
        let payload = hex::encode(Sha256::digest(body));
        let hash = ("x-amz-content-sha256", payload.as_str());
        let headers: Vec<_> = headers.iter().copied().chain((service == "s3").then_some(hash)).collect();
        let request = Unsigned { method, path, headers: &headers, payload: payload.clone(), body };
        let good = Signer::of(service);
        let answer = Answer::parse(&cloud.send_raw(good.sign(&cloud, &request).1).await);
        assert_eq!(answer.status, 200, "{service}: {answer:?}");
        let other = if service == "iam" { "sts" } else { "iam" };
        let bad = [
            ("an unknown key", Signer { key: "AKIAIOSFODNN7EXAMPLE".into(), ..good.clone() }),
            ("another secret", Signer { secret: "other".into(), ..good.clone() }),
            ("another service", Signer { service: other.into(), ..good.clone() }),
            ("no region", Signer { region: "nowhere".into(), ..good.clone() }),
            ("long ago", Signer { at: amz_date(-3600), ..good.clone() }),
            ("not yet", Signer { at: amz_date(3600), ..good.clone() }),
        ];
        for (what, signer) in bad {
            let answer = Answer::parse(&cloud.send_raw(signer.sign(&cloud, &request).1).await);
            assert!((400..=403).contains(&answer.status), "{service}, {what}: {answer:?}");
            assert!(answer.body.contains("ode>") || answer.body.contains("__type"), "{service}, {what}: {answer:?}");
        }
        // One changed after it was signed, and forms that are cut or doubled.
        let text = String::from_utf8(good.sign(&cloud, &request).1).unwrap();
        let broken = [
            text.replace("Signature=", "Signature=0"),
            text.replace(", SignedHeaders=", ", SignedHeaders=x-none;"),
            text.replace("aws4_request", "aws5_request"),
            text.replace("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256,"),
            text.replace(", Signature=", ", Signatur="),
            text.replace(&format!("{path} HTTP"), &format!("{path}?x=1 HTTP")),
            text.replace("Credential=test/", "Credential="),
            text.replace("Credential=test/", "Credential=/"),
        ];
        for changed in broken {
            let answer = Answer::parse(&cloud.send_raw(changed.clone().into_bytes()).await);
            assert!((400..=403).contains(&answer.status), "{changed}: {answer:?}");
            assert!(answer.body.contains("ode>") || answer.body.contains("__type"), "{changed}: {answer:?}");
        }
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_changed_or_has_expired_opens_nothing() {
    let cloud = LocalCloud::start().await;
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    s3.create_bucket().bucket("links").send().await.unwrap();
    s3.put_object().bucket("links").key("mine").body(ByteStream::from_static(b"secret")).send().await.unwrap();
    s3.put_object().bucket("links").key("other").body(ByteStream::from_static(b"secret")).send().await.unwrap();
    let link = |valid: PresigningConfig| s3.get_object().bucket("links").key("mine").presigned(valid);
    let good = link(PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()).await.unwrap().uri().to_owned();
    let fetch = async |link: String| {
        let path = link.split_once(cloud.host()).map_or(link.clone(), |(_, path)| path.to_owned());
        // The bucket may stand before the host.
        let host = link.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        Answer::parse(
            &cloud
                .send_raw(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").into_bytes())
                .await,
        )
    };
    let answer = fetch(good.clone()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "secret"), "{good}: {answer:?}");
    let past = PresigningConfig::builder()
        .start_time(std::time::SystemTime::now() - Duration::from_secs(120))
        .expires_in(Duration::from_secs(60))
        .build()
        .unwrap();
    let bad = [
        link(past).await.unwrap().uri().to_owned(),
        good.replace("/mine?", "/other?"),
        good.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        good.replace("X-Amz-Expires=60", "X-Amz-Expires=-1"),
        good.replace("X-Amz-Signature=", "X-Amz-Signature=00"),
        good.replace("&X-Amz-SignedHeaders=host", ""),
        good.split_once("&X-Amz-Signature=").map(|(start, _)| start.to_owned()).unwrap(),
        format!("{good}&versionId=null"),
    ];
    for link in bad {
        let answer = fetch(link.clone()).await;
        assert!((400..=403).contains(&answer.status) && !answer.body.contains("secret"), "{link}: {answer:?}");
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_with_a_wrong_signature_is_refused_and_nothing_is_stored() {
    let cloud = LocalCloud::start().await;
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    s3.create_bucket().bucket("chunks").send().await.unwrap();
    let kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let body = format!("5;chunk-signature={0}\r\nhello\r\n0;chunk-signature={0}\r\n\r\n", "0".repeat(64));
    let headers =
        [("content-encoding", "aws-chunked"), ("x-amz-content-sha256", kind), ("x-amz-decoded-content-length", "5")];
    let request =
        Unsigned { method: "PUT", path: "/chunks/key", headers: &headers, payload: kind.into(), body: body.as_bytes() };
    let answer = Answer::parse(&cloud.send_raw(Signer::of("s3").sign(&cloud, &request).1).await);
    assert!(matches!(answer.status, 400 | 403), "{answer:?}");
    assert_eq!(s3.list_objects_v2().bucket("chunks").send().await.unwrap().key_count(), Some(0));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_cloud_never_issued_open_nothing() {
    let cloud = LocalCloud::start().await;
    let stranger = Key { id: "AKIAIOSFODNN7EXAMPLE".into(), secret: "test".into(), token: None };
    let fake = Key { id: "test".into(), secret: "test".into(), token: Some("made up".into()) };
    for key in [stranger, fake] {
        let refused = aws_sdk_sts::Client::new(&cloud.sdk_as(&key)).get_caller_identity().send().await;
        let status = refused.unwrap_err().raw_response().unwrap().status().as_u16();
        assert_eq!(status, 403, "{key:?}");
    }
    cloud.stop().await;
}
