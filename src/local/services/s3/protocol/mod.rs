//! S3's own protocol: the s3s crate turns HTTP into typed requests and checks signatures, these modules answer them.
//! What is not in the table below is refused by the crate as `NotImplemented`, by name.

use std::sync::Arc;

use s3s::{S3, S3Request, S3Response, S3Result, dto};

use super::store::Store;

pub(super) mod access;
mod buckets;
mod convert;
pub(super) mod listings;
mod multipart;
pub(super) mod reading;
pub(super) mod settings;
mod writing;

/// Answers the operations of the table.
pub(super) struct Protocol(pub(super) Arc<Store>);

macro_rules! table {
    ($($operation:ident($input:ident) -> $output:ident => $handler:path;)*) => {
        /// Every operation of S3 that works here; the names are kept for the reference page.
        pub(super) const OPERATIONS: &[&str] = &[$(stringify!($input)),*];

        #[async_trait::async_trait]
        impl S3 for Protocol {
            $(async fn $operation(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                let output = $handler(&self.0, request).await?;
                Ok(S3Response::new(output))
            })*
        }
    };
}

table! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput => buckets::create;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput => buckets::delete;
    head_bucket(HeadBucketInput) -> HeadBucketOutput => buckets::head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput => buckets::list;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput => buckets::location;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput => buckets::acl;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput => buckets::put_acl;

    get_object(GetObjectInput) -> GetObjectOutput => reading::get;
    head_object(HeadObjectInput) -> HeadObjectOutput => reading::head;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput => reading::attributes;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput => reading::tagging;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput => reading::acl;

    put_object(PutObjectInput) -> PutObjectOutput => writing::put;
    copy_object(CopyObjectInput) -> CopyObjectOutput => writing::copy;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput => writing::delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput => writing::delete_many;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput => writing::put_tagging;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput => writing::delete_tagging;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput => writing::put_acl;

    list_objects(ListObjectsInput) -> ListObjectsOutput => listings::objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output => listings::objects_v2;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput => listings::versions;

    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput => multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput => multipart::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput => multipart::copy_part;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput => multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput => multipart::abort;
    list_parts(ListPartsInput) -> ListPartsOutput => multipart::list_parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput => multipart::list_uploads;

    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput => settings::versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput => settings::put_versioning;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput => settings::encryption;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput => settings::put_encryption;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput => settings::delete_encryption;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput => settings::policy;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput => settings::policy_status;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput => settings::put_policy;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput => settings::delete_policy;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput => settings::access_block;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput => settings::put_access_block;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput => settings::delete_access_block;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput => settings::ownership;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput => settings::put_ownership;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput => settings::delete_ownership;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput => settings::tagging;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput => settings::put_tagging;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput => settings::delete_tagging;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput => settings::lifecycle;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput => settings::put_lifecycle;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput => settings::delete_lifecycle;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput => settings::cors;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput => settings::put_cors;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput => settings::delete_cors;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput => settings::logging;
    put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput => settings::put_logging;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput => settings::notification;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput => settings::put_notification;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput => settings::website;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput => settings::replication;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput => settings::object_lock;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput => settings::request_payment;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput => settings::accelerate;
}
