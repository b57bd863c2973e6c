//! What tests share: a sealed local cloud, real clients, temporary directories.
