//! S3, by the clients that everybody uses.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier,
    VersioningConfiguration,
};
use serde_json::json;

use crate::support::LocalCloud;
use crate::support::clients::next_second;

/// Bytes that differ from place to place.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap()).collect()
}

async fn bucket(cloud: &LocalCloud) -> Client {
    let client = Client::new(&cloud.sdk());
    client.create_bucket().bucket("bucket").send().await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_in_and_out_by_the_sdk() {
    let cloud = LocalCloud::start().await;
    let client = bucket(&cloud).await;
    let long = "k".repeat(1024);
    for key in ["plain", "a/b", "dir/", "..", "sp ace+plus%25", "ü/\u{1f980}", &long] {
        let body = ByteStream::from(key.as_bytes().to_vec());
        let put =
            client.put_object().bucket("bucket").key(key).body(body).metadata("name", "wert").send().await.unwrap();
        assert!(put.checksum_crc32().is_some(), "the SDK's own checksum comes back");
        let got = client.get_object().bucket("bucket").key(key).send().await.unwrap();
        assert_eq!(got.e_tag(), put.e_tag());
        assert_eq!(got.metadata().unwrap()["name"], "wert");
        assert_eq!(got.body.collect().await.unwrap().into_bytes(), key.as_bytes());
    }
    let listed = client.list_objects_v2().bucket("bucket").delimiter("/").send().await.unwrap();
    assert_eq!(listed.common_prefixes().len(), 3);
    assert_eq!(listed.contents().len(), 4);
    let ranged = client.get_object().bucket("bucket").key("plain").range("bytes=1-2").send().await.unwrap();
    assert_eq!(ranged.content_range(), Some("bytes 1-2/5"));
    assert_eq!(ranged.body.collect().await.unwrap().into_bytes(), "la");
    let missing = client.get_object().bucket("bucket").key("nothing").send().await.unwrap_err();
    assert_eq!(missing.into_service_error().code(), Some("NoSuchKey"));
    let missing = client.head_object().bucket("bucket").key("nothing").send().await.unwrap_err();
    assert!(missing.into_service_error().is_not_found());
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_and_checksums_are_verified() {
    let cloud = LocalCloud::start().await;
    let client = bucket(&cloud).await;
    let put = || client.put_object().bucket("bucket").key("k").body(ByteStream::from_static(b"hello"));
    let first = put().if_none_match("*").send().await.unwrap();
    let again = put().if_none_match("*").send().await.unwrap_err();
    assert_eq!(again.into_service_error().code(), Some("PreconditionFailed"));
    put().if_match(first.e_tag().unwrap()).send().await.unwrap();
    let not_modified =
        client.get_object().bucket("bucket").key("k").if_none_match(first.e_tag().unwrap()).send().await.unwrap_err();
    assert_eq!(not_modified.raw_response().unwrap().status().as_u16(), 304);
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
        ChecksumAlgorithm::Crc64Nvme,
    ] {
        put().checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let head = client
            .head_object()
            .bucket("bucket")
            .key("k")
            .checksum_mode(aws_sdk_s3::types::ChecksumMode::Enabled)
            .send()
            .await
            .unwrap();
        let sums = [
            head.checksum_crc32(),
            head.checksum_crc32_c(),
            head.checksum_sha1(),
            head.checksum_sha256(),
            head.checksum_crc64_nvme(),
        ];
        assert_eq!(sums.iter().flatten().count(), 1, "{algorithm}");
    }
    let wrong = put().checksum_sha256("uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=").send().await.unwrap_err();
    assert_eq!(wrong.into_service_error().code(), Some("BadDigest"));
    let wrong = put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await.unwrap_err();
    assert_eq!(wrong.into_service_error().code(), Some("BadDigest"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_delete_markers_are_listed_and_removed() {
    let cloud = LocalCloud::start().await;
    let client = bucket(&cloud).await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket("bucket").versioning_configuration(enabled).send().await.unwrap();
    for n in 0..5 {
        let key = format!("key{}", n % 2);
        client.put_object().bucket("bucket").key(key).body(ByteStream::from_static(b"x")).send().await.unwrap();
    }
    let marker = client.delete_object().bucket("bucket").key("key0").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let (mut found, mut key, mut version) = (Vec::new(), None, None);
    loop {
        let request = client.list_object_versions().bucket("bucket").max_keys(2);
        let page = request.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        let versions =
            page.versions().iter().map(|one| (one.key().unwrap().to_owned(), one.version_id().unwrap().to_owned()));
        let markers = page
            .delete_markers()
            .iter()
            .map(|one| (one.key().unwrap().to_owned(), one.version_id().unwrap().to_owned()));
        found.extend(versions.chain(markers));
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, version) = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 6);
    let gone = client.get_object().bucket("bucket").key("key0").send().await.unwrap_err();
    assert_eq!(gone.into_service_error().code(), Some("NoSuchKey"));
    let full = client.delete_bucket().bucket("bucket").send().await.unwrap_err();
    assert_eq!(full.into_service_error().code(), Some("BucketNotEmpty"));
    let objects =
        found.iter().map(|(key, version)| ObjectIdentifier::builder().key(key).version_id(version).build().unwrap());
    let delete = Delete::builder().set_objects(Some(objects.collect())).build().unwrap();
    let deleted = client.delete_objects().bucket("bucket").delete(delete).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (6, 0));
    client.delete_bucket().bucket("bucket").send().await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts_is_one_object_with_the_right_tag() {
    let cloud = LocalCloud::start().await;
    let client = bucket(&cloud).await;
    let content = pattern(11 * 1024 * 1024);
    let upload = client.create_multipart_upload().bucket("bucket").key("big").send().await.unwrap();
    let id = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, piece) in (1..).zip(content.chunks(5 * 1024 * 1024)) {
        let body = ByteStream::from(piece.to_vec());
        let part = client
            .upload_part()
            .bucket("bucket")
            .key("big")
            .upload_id(id)
            .part_number(number)
            .body(body)
            .send()
            .await
            .unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag().map(str::to_owned)).build());
    }
    let listed = client.list_parts().bucket("bucket").key("big").upload_id(id).send().await.unwrap();
    assert_eq!(listed.parts().len(), 3);
    assert_eq!(client.list_multipart_uploads().bucket("bucket").send().await.unwrap().uploads().len(), 1);
    let complete = |parts: Vec<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        client.complete_multipart_upload().bucket("bucket").key("big").upload_id(id).multipart_upload(parts).send()
    };
    let disordered = complete(parts.iter().rev().cloned().collect()).await.unwrap_err();
    assert_eq!(disordered.into_service_error().code(), Some("InvalidPartOrder"));
    let unknown = CompletedPart::builder().part_number(9).e_tag("\"00\"").build();
    assert_eq!(complete(vec![unknown]).await.unwrap_err().into_service_error().code(), Some("InvalidPart"));
    let done = complete(parts).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-3\""), "{:?}", done.e_tag());
    let got = client.get_object().bucket("bucket").key("big").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().into_bytes() == content);
    let part = client.get_object().bucket("bucket").key("big").part_number(3).send().await.unwrap();
    assert_eq!((part.parts_count(), part.content_length()), (Some(3), Some(1024 * 1024)));
    let objects = cloud.home().join("state/s3/objects/bucket");
    assert_eq!(std::fs::read_dir(objects).unwrap().count(), 1, "parts are gone once they are put together");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presigned_and_public_requests_need_no_key_and_others_are_denied() {
    let cloud = LocalCloud::start().await;
    let client = bucket(&cloud).await;
    client.put_object().bucket("bucket").key("k").body(ByteStream::from_static(b"hello")).send().await.unwrap();
    let presigned = PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let url = client.get_object().bucket("bucket").key("k").presigned(presigned).await.unwrap();
    let host = cloud.endpoint().trim_start_matches("http://").to_owned();
    let get = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        cloud.send_raw(request.into_bytes()).await
    };
    let signed = url.uri().trim_start_matches(cloud.endpoint());
    assert!(get(signed).await.ends_with("hello"));
    let touched = signed.replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert!(get(&touched).await.contains("SignatureDoesNotMatch"));
    let denied = get("/bucket/k").await;
    assert!(denied.starts_with("HTTP/1.1 403") && denied.contains("<Code>AccessDenied</Code>"), "{denied}");
    let policy = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}});
    let put = || client.put_bucket_policy().bucket("bucket").policy(policy.to_string()).send();
    assert_eq!(put().await.unwrap_err().into_service_error().code(), Some("AccessDenied"));
    client.delete_public_access_block().bucket("bucket").send().await.unwrap();
    put().await.unwrap();
    assert!(get("/bucket/k").await.ends_with("hello"));
    assert!(get("/bucket").await.starts_with("HTTP/1.1 403"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_copies_lists_syncs_and_removes() {
    let cloud = LocalCloud::start().await;
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().to_str().unwrap();
    let content = pattern(20 * 1024 * 1024);
    std::fs::write(dir.path().join("big"), &content).unwrap();
    std::fs::create_dir(dir.path().join("tree")).unwrap();
    std::fs::write(dir.path().join("tree/one.txt"), "one").unwrap();
    std::fs::write(dir.path().join("tree/two.txt"), "two").unwrap();
    let aws = async |args: &[&str]| {
        let (success, stdout, stderr) = cloud.run("aws", args, &crate::support::clients::Key::root()).await;
        assert!(success, "aws {}:\n{stderr}", args.join(" "));
        stdout
    };
    aws(&["s3", "mb", "s3://bucket"]).await;
    aws(&["s3", "cp", &format!("{here}/big"), "s3://bucket/big", "--quiet"]).await;
    aws(&["s3", "sync", &format!("{here}/tree"), "s3://bucket/tree", "--quiet"]).await;
    let listed = aws(&["s3", "ls", "s3://bucket", "--recursive"]).await;
    assert!(listed.contains("big") && listed.contains("tree/one.txt") && listed.contains("tree/two.txt"), "{listed}");
    std::fs::remove_file(dir.path().join("tree/one.txt")).unwrap();
    std::fs::write(dir.path().join("tree/two.txt"), "changed").unwrap();
    aws(&["s3", "sync", &format!("{here}/tree"), "s3://bucket/tree", "--delete", "--quiet"]).await;
    aws(&["s3", "sync", "s3://bucket/tree", &format!("{here}/mirror"), "--quiet"]).await;
    assert_eq!(std::fs::read_to_string(dir.path().join("mirror/two.txt")).unwrap(), "changed");
    assert!(!dir.path().join("mirror/one.txt").exists());
    aws(&["s3", "cp", "s3://bucket/big", "s3://bucket/copy", "--quiet"]).await;
    aws(&["s3", "cp", "s3://bucket/copy", &format!("{here}/back"), "--quiet"]).await;
    assert!(std::fs::read(dir.path().join("back")).unwrap() == content);
    let head = cloud.aws(&["s3api", "head-object", "--bucket", "bucket", "--key", "big"]).await;
    assert!(head["ETag"].as_str().unwrap().ends_with("-3\""), "{head}");
    aws(&["s3", "rm", "s3://bucket/tree", "--recursive", "--quiet"]).await;
    assert!(!aws(&["s3", "ls", "s3://bucket", "--recursive"]).await.contains("tree/"));
    let said = cloud.aws_fails(&["s3", "rb", "s3://bucket"]).await;
    assert!(said.contains("BucketNotEmpty"), "{said}");
    aws(&["s3", "rb", "s3://bucket", "--force"]).await;
    assert_eq!(cloud.aws(&["s3api", "list-buckets"]).await["Buckets"], json!([]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_reads_back_every_configuration_it_writes() {
    let cloud = LocalCloud::start().await;
    let answers = cloud
        .boto3(
            r#"
from botocore.exceptions import ClientError
s3 = boto3.client('s3')
s3.create_bucket(Bucket='bucket')
def code(call, **more):
    try:
        call(Bucket='bucket', **more)
        return None
    except ClientError as error:
        return error.response['Error']['Code']
missing = [code(s3.get_bucket_policy), code(s3.get_bucket_tagging), code(s3.get_bucket_lifecycle_configuration),
           code(s3.get_bucket_cors), code(s3.get_bucket_website), code(s3.get_bucket_replication),
           code(s3.get_object_lock_configuration)]
s3.put_bucket_tagging(Bucket='bucket', Tagging={'TagSet': [{'Key': 'a', 'Value': 'b'}]})
s3.put_bucket_encryption(Bucket='bucket', ServerSideEncryptionConfiguration={'Rules': [
    {'ApplyServerSideEncryptionByDefault': {'SSEAlgorithm': 'aws:kms', 'KMSMasterKeyID': 'alias/k'}, 'BucketKeyEnabled': True}]})
rules = [{'ID': 'r', 'Status': 'Enabled', 'Filter': {'Prefix': 'tmp/'}, 'Expiration': {'Days': 3}}]
s3.put_bucket_lifecycle_configuration(Bucket='bucket', LifecycleConfiguration={'Rules': rules})
smallest = lambda: s3.get_bucket_lifecycle_configuration(Bucket='bucket')['TransitionDefaultMinimumObjectSize']
sizes = [smallest()]
s3.put_bucket_lifecycle_configuration(Bucket='bucket', LifecycleConfiguration={'Rules': rules},
    TransitionDefaultMinimumObjectSize='varies_by_storage_class')
sizes.append(smallest())
cors = [{'AllowedMethods': ['GET'], 'AllowedOrigins': ['*'], 'MaxAgeSeconds': 5}]
s3.put_bucket_cors(Bucket='bucket', CORSConfiguration={'CORSRules': cors})
s3.put_bucket_ownership_controls(Bucket='bucket', OwnershipControls={'Rules': [{'ObjectOwnership': 'BucketOwnerPreferred'}]})
s3.put_object(Bucket='bucket', Key='k ü', Body=b'x', Tagging='t=1', ContentType='text/plain', StorageClass='STANDARD_IA')
got = s3.get_object(Bucket='bucket', Key='k ü')
print(json.dumps({
    'missing': missing,
    'tags': s3.get_bucket_tagging(Bucket='bucket')['TagSet'],
    'encryption': s3.get_bucket_encryption(Bucket='bucket')['ServerSideEncryptionConfiguration']['Rules'][0]['BucketKeyEnabled'],
    'lifecycle': s3.get_bucket_lifecycle_configuration(Bucket='bucket')['Rules'] == rules,
    'sizes': sizes,
    'cors': s3.get_bucket_cors(Bucket='bucket')['CORSRules'] == cors,
    'owner': s3.get_bucket_ownership_controls(Bucket='bucket')['OwnershipControls']['Rules'][0]['ObjectOwnership'],
    'block': s3.get_public_access_block(Bucket='bucket')['PublicAccessBlockConfiguration']['BlockPublicAcls'],
    'location': s3.get_bucket_location(Bucket='bucket')['LocationConstraint'],
    'logging': 'LoggingEnabled' in s3.get_bucket_logging(Bucket='bucket'),
    'object': [got['ContentType'], got['StorageClass'], got['ServerSideEncryption'], got['TagCount']],
    'object_tags': s3.get_object_tagging(Bucket='bucket', Key='k ü')['TagSet'],
    'keys': [one['Key'] for one in s3.list_objects_v2(Bucket='bucket')['Contents']],
    'refused': [code(s3.get_bucket_inventory_configuration, Id='i'), code(s3.put_bucket_website, WebsiteConfiguration={'IndexDocument': {'Suffix': 'i'}})],
}))
"#,
        )
        .await;
    let expected = json!({
        "missing": ["NoSuchBucketPolicy", "NoSuchTagSet", "NoSuchLifecycleConfiguration", "NoSuchCORSConfiguration",
            "NoSuchWebsiteConfiguration", "ReplicationConfigurationNotFoundError", "ObjectLockConfigurationNotFoundError"],
        "tags": [{"Key": "a", "Value": "b"}],
        "encryption": true,
        "lifecycle": true,
        "sizes": ["all_storage_classes_128K", "varies_by_storage_class"],
        "cors": true,
        "owner": "BucketOwnerPreferred",
        "block": true,
        "location": null,
        "logging": false,
        "object": ["text/plain", "STANDARD_IA", "aws:kms", 1],
        "object_tags": [{"Key": "t", "Value": "1"}],
        "keys": ["k ü"],
        "refused": ["NotImplemented", "NotImplemented"],
    });
    assert_eq!(answers, expected);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_come_as_asked_and_every_refusal_has_words() {
    let cloud = LocalCloud::start().await;
    let answers = cloud
        .boto3(
            r#"
from botocore.exceptions import ClientError
s3 = boto3.client('s3')
s3.create_bucket(Bucket='bucket')
s3.put_object(Bucket='bucket', Key='k', Body=b'hello', ChecksumAlgorithm='SHA256')
got = s3.get_object_attributes(Bucket='bucket', Key='k', ObjectAttributes=['ETag', 'Checksum', 'ObjectSize', 'StorageClass'])
def words(call, **more):
    try:
        call(**more)
    except ClientError as error:
        return [error.response['Error']['Code'], error.response['Error'].get('Message')]
print(json.dumps({
    # AWS leaves out the quotes in this one answer.
    'attributes': [got['ETag'], got['ObjectSize'], got['StorageClass'], 'ChecksumSHA256' in got['Checksum']],
    'unknown': words(s3.get_object_attributes, Bucket='bucket', Key='k', ObjectAttributes=['ETag', 'Colour'])[0],
    'name': words(s3.create_bucket, Bucket='Bad_Name'),
    'key': words(s3.put_object, Bucket='bucket', Key='k' * 1025, Body=b''),
    'nothing': words(s3.delete_objects, Bucket='bucket', Delete={'Objects': []})[1][:24],
    'region': words(boto3.client('s3', region_name='US').list_buckets),
}))
"#,
        )
        .await;
    let expected = json!({
        "attributes": ["5d41402abc4b2a76b9719d911017c592", 5, "STANDARD", true],
        "unknown": "InvalidArgument",
        "name": ["InvalidBucketName", "The specified bucket is not valid."],
        "key": ["KeyTooLongError", "Your key is too long"],
        "nothing": "The XML you provided was",
        "region": ["AuthorizationHeaderMalformed",
            "The authorization header is malformed; Credential should be scoped to a valid region, not 'US'."],
    });
    assert_eq!(answers, expected);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_leaves_nothing_and_a_restart_loses_nothing() {
    let cloud = LocalCloud::start().await;
    let client = bucket(&cloud).await;
    client.put_object().bucket("bucket").key("kept").body(ByteStream::from_static(b"kept")).send().await.unwrap();
    let presigned = PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap();
    let url = client.put_object().bucket("bucket").key("broken").presigned(presigned).await.unwrap();
    let path = url.uri().trim_start_matches(cloud.endpoint());
    let host = cloud.endpoint().trim_start_matches("http://");
    let head = format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n");
    let address = host.to_owned();
    tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&pattern(2_000_000)).unwrap();
    })
    .await
    .unwrap();
    let cloud = cloud.restart().await;
    let client = Client::new(&cloud.sdk());
    let listed = client.list_objects_v2().bucket("bucket").send().await.unwrap();
    assert_eq!(listed.contents().len(), 1);
    let objects = cloud.home().join("state/s3/objects/bucket");
    assert_eq!(std::fs::read_dir(objects).unwrap().count(), 1);
    let got = client.get_object().bucket("bucket").key("kept").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "kept");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3s_transfer_manager_moves_big_files_in_parts() {
    let cloud = LocalCloud::start().await;
    let seen = cloud
        .boto3(
            r#"
from boto3.s3.transfer import TransferConfig
s3 = boto3.client('s3'); s3.create_bucket(Bucket='files')
content = os.urandom(1 << 20) * 21 + b'tail'
open('big', 'wb').write(content)
parts = dict(Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=8))
sent = []
s3.upload_file('big', 'files', 'dir/big', ExtraArgs={'Metadata': {'a': 'b'}, 'ContentType': 'x/y'}, Callback=sent.append, **parts)
s3.copy({'Bucket': 'files', 'Key': 'dir/big'}, 'files', 'copy', **parts)
s3.download_file('files', 'copy', 'back', **parts)
head = s3.head_object(Bucket='files', Key='copy')
until(s3.get_waiter('object_exists'), Bucket='files', Key='copy')
part = dict(Bucket='files', Key='part', UploadId=s3.create_multipart_upload(Bucket='files', Key='part')['UploadId'])
small = s3.upload_part(PartNumber=1, Body=b'small', **part)['ETag']
copied = s3.upload_part_copy(PartNumber=2, CopySource='files/copy', CopySourceRange='bytes=1-3', **part)['CopyPartResult']['ETag']
both = {'Parts': [{'PartNumber': 1, 'ETag': small}, {'PartNumber': 2, 'ETag': copied}]}
code = [refused(s3.complete_multipart_upload, MultipartUpload=both, **part), refused(s3.upload_part, PartNumber=1, Body=b'', **{**part, 'UploadId': 'x'})]
s3.abort_multipart_upload(**part)
say({'same': open('back', 'rb').read() == content, 'sent': sum(sent) == len(content), 'head': [head['ETag'][-3:-1], head['Metadata'], head['ContentType']],
     'code': code, 'left': 'Uploads' in s3.list_multipart_uploads(Bucket='files'), 'keys': sorted(one.key for one in boto3.resource('s3').Bucket('files').objects.all())})
"#,
        )
        .await;
    let expected = json!({
        "same": true,
        "sent": true,
        "head": ["-5", {"a": "b"}, "x/y"],
        "code": ["EntityTooSmall", "NoSuchUpload"],
        "left": false,
        "keys": ["copy", "dir/big"],
    });
    assert_eq!(seen, expected);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_boto3_and_the_cli_sign_work_for_curl_as_long_and_as_far_as_they_say() {
    let cloud = LocalCloud::start().await;
    let urls = cloud
        .boto3(
            r#"
from botocore.config import Config
s3 = boto3.client('s3', config=Config(signature_version='s3v4')); s3.create_bucket(Bucket='files')
def sign(method, seconds=60, **more): return s3.generate_presigned_url(method, Params={'Bucket': 'files', 'Key': 'k', **more}, ExpiresIn=seconds)
say([sign('put_object', ContentType='text/plain'), sign('get_object'), sign('get_object', ResponseContentType='x/y'), sign('delete_object'), sign('get_object', 1)])
"#,
        )
        .await;
    let url = |at: usize| urls[at].as_str().unwrap();
    let upload = async |kind| cloud.curl(&["-X", "PUT", "-H", kind, "-d", "hello", url(0)]).await;
    assert_eq!(upload("Content-Type: text/html").await.0, 403);
    assert_eq!(upload("Content-Type: text/plain").await, (200, String::new()));
    assert_eq!(cloud.curl(&[url(1)]).await, (200, "hello".to_owned()));
    assert!(cloud.curl(&["-i", url(2)]).await.1.contains("content-type: x/y"));
    assert_eq!(cloud.curl(&["-X", "DELETE", url(1)]).await.0, 403, "signed for GET");
    next_second().await;
    next_second().await;
    let (status, said) = cloud.curl(&[url(4)]).await;
    assert!(status == 403 && said.contains("Request has expired"), "{said}");
    let by_cli = cloud.aws_says(&["s3", "presign", "s3://files/k"]).await;
    assert_eq!(cloud.curl(&[by_cli.trim()]).await, (200, "hello".to_owned()));
    assert_eq!(cloud.curl(&["-X", "DELETE", url(3)]).await.0, 204);
    assert_eq!(cloud.curl(&[url(1)]).await.0, 404);
    let said = cloud.aws_fails(&["s3api", "create-bucket", "--bucket", "x"]).await;
    assert!(said.contains("(InvalidBucketName)") && said.contains("The specified bucket is not valid."), "{said}");
    cloud.stop().await;
}
