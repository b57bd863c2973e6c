//! Functions: build, glibc check, deterministic zip, content-addressed key.
