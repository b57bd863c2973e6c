//! AWS as labctl uses it: the target, and one file per service in labctl's words.
