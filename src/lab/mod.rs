//! Lab manifests: a file in, a typed lab out, all problems at once.
