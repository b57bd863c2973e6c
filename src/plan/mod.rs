//! Pure planning: values in, a plan out; never awaits.
