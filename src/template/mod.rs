//! CloudFormation templates: YAML with positions and tags, intrinsic functions, references, property tables. Pure: no I/O, no SDK; used by both halves.
