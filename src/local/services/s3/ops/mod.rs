//! What other services of the local cloud ask of S3, as JSON without HTTP: the same store beneath.

mod buckets;
mod objects;

use crate::operations;
use crate::service::{Grade, Operation};

use super::S3;

/// Operations with JSON in and out.
const DOCUMENTS: &[Operation<S3>] = operations!(S3;
    Real CreateBucket => buckets::create,
    Real DeleteBucket => buckets::delete,
    Real HeadBucket => buckets::head,
    Real GetBucketPolicy => buckets::get_policy,
    Real GetBucketTagging => buckets::get_tagging,
    Real PutBucketVersioning => buckets::put_document,
    Modelled PutBucketEncryption => buckets::put_document,
    Real PutBucketPolicy => buckets::put_document,
    Real PutPublicAccessBlock => buckets::put_document,
    Real PutBucketTagging => buckets::put_document,
    Modelled PutBucketLifecycleConfiguration => buckets::put_document,
    Modelled PutBucketOwnershipControls => buckets::put_document,
    Modelled PutBucketCors => buckets::put_document,
    Modelled PutBucketLogging => buckets::put_document,
    Modelled DeleteBucketEncryption => buckets::delete_document,
    Real DeleteBucketPolicy => buckets::delete_document,
    Real DeletePublicAccessBlock => buckets::delete_document,
    Real DeleteBucketTagging => buckets::delete_document,
    Modelled DeleteBucketLifecycle => buckets::delete_document,
    Modelled DeleteBucketOwnershipControls => buckets::delete_document,
    Modelled DeleteBucketCors => buckets::delete_document,
    Real ListObjectsV2 => objects::list,
    Real DeleteObject => objects::delete,
    Real HeadObject => objects::head,
);

/// Operations whose content travels beside the JSON.
const CONTENTS: &[Operation<S3>] = &[
    Operation { name: "GetObject", grade: Grade::Real, run: |service, call| Box::pin(objects::get(service, call)) },
    Operation { name: "PutObject", grade: Grade::Real, run: |service, call| Box::pin(objects::put(service, call)) },
];

/// The operation of this name.
pub(super) fn find(name: &str) -> Option<&'static Operation<S3>> {
    DOCUMENTS.iter().chain(CONTENTS).find(|operation| operation.name == name)
}
